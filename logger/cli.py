"""The log store from the command line. A command imports what it needs when it runs: the keeper is to stay small."""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from common.errors import AppError, Kind
from common.settings import load
from logger.commands.codes import FOUND, MISUSED, NOT_FOUND, UNAVAILABLE
from logger.settings import LoggerSettings

Command = Callable[[LoggerSettings, argparse.Namespace], int]

QUERY_LIMIT = 50
_CODES = {
    Kind.INVALID: MISUSED,
    Kind.MALFORMED: MISUSED,
    Kind.UNAVAILABLE: UNAVAILABLE,
    Kind.TIMEOUT: UNAVAILABLE,
    Kind.TOO_MANY: UNAVAILABLE,
}
_EXIT_CODES = "exit codes: 0 done, or found; 1 nothing found, or a problem found; 2 a wrong command line or query; 3 the log store is away"


def main(arguments: Sequence[str]) -> int:
    """The exit code. A failure is one clear line on standard error."""
    options = _parser().parse_args(arguments)
    settings = load(LoggerSettings)
    command: Command = options.command
    if command is _keeper:
        return command(settings, options)
    # what goes wrong is told once, here, and not by the parts as well
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        code = command(settings, options)
        sys.stdout.flush()
    except AppError as error:
        _tell(error, options)
        return _CODES.get(error.kind, NOT_FOUND)
    except BrokenPipeError:
        # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    except KeyboardInterrupt:
        return FOUND if command is _tail else NOT_FOUND
    return code


def _tell(error: AppError, options: argparse.Namespace) -> None:
    from logger.commands.terminal import harmless, tell
    from logger.query.language import QueryError, pointed

    tell(error.message)
    if isinstance(error, QueryError):
        shown = pointed(" ".join(options.query), error.position)
        print(harmless(shown, keep="\n"), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m logger", description="Commands for who runs the log store.", epilog=_EXIT_CODES
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, function: Command, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, epilog=_EXIT_CODES)
        added.set_defaults(command=function)
        return added

    command("keeper", _keeper, "do what the log store needs done in the background, until told to stop")
    _add_reading(command)
    _add_moving(command)
    _add_verify(command)
    indexes = command("indexes", _indexes, "which indexes are declared, there, or missing")
    retention = command("retention", _retention, "how long entries stay: show it, or change it")
    retention.add_argument("rules", nargs="*", metavar="LEVEL=TIME", help="such as DEBUG=7d INFO=90d ERROR=keep")
    retention.add_argument("--max-bytes", default="", metavar="SIZE", help="of all entries, such as 20G, or none")
    for each in (indexes, retention):
        each.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _add_reading(command: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    query = command("query", _query, "find entries; docs/search.md explains the language")
    query.add_argument(
        "--limit", type=_count, default=QUERY_LIMIT, metavar="N", help=f"at most so many ({QUERY_LIMIT})"
    )
    query.add_argument("--oldest", action="store_true", help="the oldest instead of the newest")
    tail = command("tail", _tail, "follow entries as they are stored, over the log store's HTTP port")
    tail.add_argument("--history", type=_whole, default=10, metavar="N", help="begin with so many that are there (10)")
    tail.add_argument("--limit", type=_count, default=None, metavar="N", help="end after so many")
    tail.add_argument("--url", default="", help="of the log store or the broker, instead of BIND_HOST and LOGGER_PORT")
    export = command("export", _export, "write entries as lines of JSON, oldest first")
    export.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="packed when it ends in .gz; standard output if left out"
    )
    for each in (query, tail, export):
        each.add_argument("query", nargs="*", help="terms of the query language; behind -- when one begins with -")
        each.add_argument("--since", default="", metavar="TIME", help="2h, 2026-11-21 or 2026-11-21T10:00:00Z")
        each.add_argument("--until", default="", metavar="TIME", help="as --since")
    for each in (query, tail):
        each.add_argument("--json", action="store_true", help="one JSON object a line")


def _add_moving(command: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    bring = command("import", _import, "store entries of an export, of mongoexport, or of another MongoDB collection")
    bring.add_argument("file", type=Path, nargs="?", metavar="FILE", help="lines of JSON, packed with gzip or not")
    bring.add_argument("--from-mongo", metavar="URL", help="a database to read from instead")
    bring.add_argument("--collection", default="logs", metavar="NAME", help="its collection (logs)")
    bring.add_argument("--dry-run", action="store_true", help="store nothing, tell what would be")
    bring.add_argument("--restart", action="store_true", help="from the beginning, also where one was broken off")
    bring.add_argument("--json", action="store_true", help="the report as JSON")


def _add_verify(command: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    verify = command("verify", _verify, "whether any entry of the audit trail was changed or taken away; docs/audit.md")
    verify.add_argument("--day", type=_day, metavar="DAY", help="only what was sealed on this day, such as 2026-11-21")
    verify.add_argument(
        "--anchor",
        type=_hash,
        action="append",
        default=[],
        metavar="HASH",
        help="a day's hash that was noted earlier and must be there still; may stand several times",
    )
    verify.add_argument("--json", action="store_true", help="as JSON")


def _day(text: str) -> str:
    from logger.audit import is_day

    if not is_day(text):
        raise argparse.ArgumentTypeError("must be a day such as 2026-11-21")
    return text


def _hash(text: str) -> str:
    from logger.audit import is_hash

    if not is_hash(text.lower()):
        raise argparse.ArgumentTypeError("must be 64 hexadecimal digits")
    return text.lower()


def _count(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a whole number") from None


def _keeper(settings: LoggerSettings, _options: argparse.Namespace) -> int:
    from logger.keeper_app import run

    return run(settings)


def _query(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.finding import query

    return query(settings, options)


def _tail(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.finding import tail

    return tail(settings, options)


def _export(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.moving import export

    return export(settings, options)


def _import(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.moving import bring_in

    return bring_in(settings, options)


def _verify(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.verifying import check

    return check(settings, options)


def _indexes(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.care import indexes

    return indexes(settings, options)


def _retention(settings: LoggerSettings, options: argparse.Namespace) -> int:
    from logger.commands.care import retention

    return retention(settings, options)
