"""Entry point of `python -m rustseg_jax`; see `cli`."""

import sys

from rustseg_jax.cli import main

if __name__ == "__main__":  # the worker processes of training import this file too
    sys.exit(main())
