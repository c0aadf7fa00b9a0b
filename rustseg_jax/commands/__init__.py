"""The commands of `python -m rustseg_jax`, one module each.

Each has `add(subparsers)`, which describes its options, and `run(args) -> int`, the
exit status. What is slow to import (JAX) is imported in `run`, so that `--help` and
a mistyped option answer at once.
"""
