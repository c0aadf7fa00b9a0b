"""The command line: `python -m rustseg_jax COMMAND ...`.

Results go to stdout, as a table or with `--json` as one JSON object; progress and
errors go to stderr. Exit status: 0 done, 1 some inputs failed, 2 misuse (an option,
a folder or a weights file that cannot be used), 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rustseg_jax.commands import evaluate, failures, labels, segment, train, uncertainty
from rustseg_jax.commands.common import DONE, INTERRUPTED, MISUSE, say
from rustseg_jax.errors import RustsegError

__all__ = ["build_parser", "main"]

COMMANDS = (segment, evaluate, failures, train, uncertainty, labels)


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands and their options; imports nothing slow."""
    parser = argparse.ArgumentParser(
        prog="python -m rustseg_jax",
        description="Find rust in photos: verdict, heat map, mask.",
        epilog="Exit status: 0 done, 1 some inputs failed, 2 misuse, 130 interrupted.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : the words after the program's name; None takes those of this process

    Returns
    -------
    The exit status, 0, 1, 2 or 130. What a user can cause becomes one line on
    stderr; anything else is a bug of ours and is raised.
    """
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as end:  # argparse has said why
        return DONE if end.code in (None, 0) else MISUSE
    args.words = sys.argv[1:] if argv is None else list(argv)  # for a command's records
    try:
        status: int = args.run(args)
    except RustsegError as error:
        say(str(error))
        return MISUSE
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    return status
