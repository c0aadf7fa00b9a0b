"""The packages of the wheel: pyproject.toml, which has all else, cannot add to those it finds."""

from setuptools import find_packages, setup

# data/ lies beside the code and is installed inside of it; see rustseg_jax/resources.py.
DATA = ["rustseg_jax.data", "rustseg_jax.data.model", "rustseg_jax.data.samples"]

setup(packages=[*find_packages(include=["rustseg_jax", "rustseg_jax.*"]), *DATA])
