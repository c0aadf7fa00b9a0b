"""The command line: `rustseg COMMAND ...`, or `python -m rustseg_jax COMMAND ...`.

Results go to stdout, as a table or with `--json` as one JSON object; progress and
errors go to stderr. Exit status: 0 success, 1 some inputs failed, 2 usage error (an invalid
option, folder or weights file), 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rustseg_jax.commands import evaluate, failures, labels, segment, train, uncertainty
from rustseg_jax.commands.common import DONE, INTERRUPTED, MISUSE, say
from rustseg_jax.errors import RustsegError

__all__ = ["build_parser", "main"]

COMMANDS = (segment, evaluate, failures, train, uncertainty, labels)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and options, without slow imports."""
    parser = argparse.ArgumentParser(
        prog=_program(),
        description="Find rust in photos: verdict, heat map and mask.",
        epilog="Exit status: 0 success, 1 some inputs failed, 2 usage error, 130 interrupted.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _program() -> str:
    """The command as it was typed: the installed script, or the module."""
    script = Path(sys.argv[0]).stem == "rustseg"
    return "rustseg" if script else "python -m rustseg_jax"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : command-line arguments without the program name; default: those of this process

    Returns
    -------
    The exit status: 0, 1, 2 or 130. Errors that a user can cause are printed as one line on
    stderr; any other exception is a bug in this package and propagates.
    """
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as end:  # argparse has printed the reason
        return DONE if end.code in (None, 0) else MISUSE
    args.words = sys.argv[1:] if argv is None else list(argv)  # for records of the command
    try:
        status: int = args.run(args)
    except RustsegError as error:
        say(str(error))
        return MISUSE
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    return status
