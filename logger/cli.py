"""The log store from the command line. A command imports what it needs when it runs: the keeper is to stay small."""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import argparse
from collections.abc import Sequence

from common.settings import load
from logger.settings import LoggerSettings


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = _parser().parse_args(arguments)
    code: int = options.command(load(LoggerSettings), options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m logger", description="Commands for who runs the log store.")
    commands = parser.add_subparsers(required=True, metavar="command")
    keeper = commands.add_parser(
        "keeper", help="do what the log store needs done in the background, until told to stop"
    )
    keeper.set_defaults(command=_keeper)
    return parser


def _keeper(settings: LoggerSettings, _options: argparse.Namespace) -> int:
    from logger.keeper_app import run

    return run(settings)
