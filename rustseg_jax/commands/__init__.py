"""The commands of `python -m rustseg_jax`, one module each.

Each module has `add(subparsers)`, which defines the options, and `run(args) -> int`, which
returns the exit status. Slow imports (JAX) happen in `run`, so that `--help` and
option errors respond immediately.
"""
