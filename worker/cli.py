"""Dead letters from the command line: look at them, send them through the listener again, or delete them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from common.clock import SystemClock
from common.errors import AppError
from common.settings import load
from protos.topics import LOGS, LOGS_RETRIES
from worker.clients.archive import PORTION, Archive, opened
from worker.clients.messages import portions
from worker.letters import Letter, Selection, to_json
from worker.settings import WorkerSettings

LIST_LIMIT = 50
REASON_WIDTH = 48

# An exit code, as a command returns it.
DONE, FAILED, MISUSED = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 done, 1 not or not all of it, 2 a wrong command line. A failure is one clear line on standard error."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.chooses and not (options.all or options.id or options.reason or options.limit):
        parser.error(f"{options.name}: say which: --all, --id, --reason or --limit")
    settings = load(WorkerSettings)
    # What goes wrong is told once, here, and not by the parts as well.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        with opened(settings.rabbit_url, LOGS + LOGS_RETRIES, timeout=settings.publish_timeout) as archive:
            code: int = options.command(archive, options)
            if archive.unreadable:
                _tell(f"{archive.unreadable} letters have a routing key that is not text and were left alone")
            return code
    except AppError as error:
        _tell(error.message)
    except KeyboardInterrupt:
        _tell("stopped; what was not done lies where it was")
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Commands for who runs the worker.")
    parts = parser.add_subparsers(required=True, metavar="part")
    letters = parts.add_parser("deadletters", help="messages that the listener gave up")
    commands = letters.add_subparsers(required=True, metavar="command")

    def command(
        name: str, function: Callable[[Archive, argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function, name=name, chooses=False)
        added.add_argument("--json", action="store_true", help="one JSON object a line")
        return added

    listing = command("list", _list, "what lies there")
    listing.add_argument("--reason", default="", metavar="TEXT", help="only those whose reason contains this")
    listing.add_argument(
        "--limit", type=_count, default=LIST_LIMIT, metavar="N", help=f"at most so many ({LIST_LIMIT})"
    )
    show = command("show", _show, "all of one letter: body, headers, history")
    show.add_argument("id")
    replay = command("replay", _replay, "send letters through the listener again")
    purge = command("purge", _purge, "delete letters for good")
    purge.add_argument("--yes", action="store_true", help="do not ask")
    for each in (replay, purge):
        each.set_defaults(chooses=True)
        each.add_argument("--all", action="store_true", help="every letter that lies there now")
        each.add_argument("--id", default="", help="the one with this id")
        each.add_argument("--reason", default="", metavar="TEXT", help="those whose reason contains this")
        each.add_argument("--limit", type=_count, metavar="N", help="at most so many")
        each.add_argument("--dry-run", action="store_true", help="only list what it would be")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _selected(archive: Archive, selection: Selection) -> Iterator[Letter]:
    found = 0
    # Without a filter nothing beyond the limit needs to be looked at.
    for letter in archive.letters(None if selection.id or selection.reason else selection.limit):
        if selection.takes(letter):
            yield letter
            found += 1
            if found == selection.limit:
                return


def _list(archive: Archive, options: argparse.Namespace) -> int:
    selection = Selection(reason=options.reason, limit=options.limit)
    letters = [letter.brief() for letter in _selected(archive, selection)]
    # RabbitMQ gives back what was looked at before in another order.
    letters.sort(key=lambda letter: letter.at)
    _print(letters, as_json=options.json)
    if len(letters) == options.limit < archive.ready:
        _tell(f"{len(letters)} shown, {archive.ready} letters lie there; --limit shows more")
    return DONE


def _show(archive: Archive, options: argparse.Namespace) -> int:
    letter = next(_selected(archive, Selection(id=options.id, limit=1)), None)
    if letter is None:
        _tell(f"no dead letter has the id {options.id}")
        return FAILED
    whole = letter.whole()
    if options.json:
        _say(to_json(whole))
        return DONE
    for name in ("id", "at", "reason", "routing_key"):
        _say(f"{name:<12} {_shown(str(whole.pop(name)))}")
    for name in ("history", "headers", "properties"):
        _say(f"{name}:")
        value = whole.pop(name)
        for line in value.items() if isinstance(value, dict) else value if isinstance(value, list) else ():
            _say("  " + _shown(f"{line[0]}: {line[1]}" if isinstance(line, tuple) else to_json(line)))
    for name, text in whole.items():
        _say(f"{name}:")
        _say(_shown(str(text), keep="\n\t"))
    return DONE


def _replay(archive: Archive, options: argparse.Namespace) -> int:
    selected = _selected(archive, _selection(options))
    if options.dry_run:
        return _rehearse(selected, options, "would be replayed")
    at = SystemClock().now().isoformat(timespec="milliseconds")
    done = failed = 0
    for portion in portions(selected, most=PORTION):
        whole = [each for each in portion if each.replayable]
        outcomes = [
            (each, error and error.message) for each, error in zip(whole, archive.replay(whole, at=at), strict=True)
        ]
        outcomes += [(each, each.reason) for each in portion if not each.replayable]
        for letter, problem in outcomes:
            if problem is None:
                done += 1
                _report(letter, "replayed", options)
            else:
                failed += 1
                _tell(f"not replayed: {letter.id}: {problem}")
    return _counted(done, "replayed", options, missed=failed > 0)


def _purge(archive: Archive, options: argparse.Namespace) -> int:
    selected = _selected(archive, _selection(options))
    if options.dry_run:
        return _rehearse(selected, options, "would be deleted")
    letters = [letter.brief() for letter in selected]
    if letters and not options.yes:
        if not sys.stdin.isatty():
            _tell("purge deletes for good: --yes, or a terminal to ask on")
            return MISUSED
        _print(letters, as_json=options.json)
        answer = ""
        with suppress(EOFError):
            answer = input(f"Delete these {len(letters)} letters for good? [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            _tell("nothing deleted")
            return FAILED
    archive.done(letters)
    for letter in letters:
        _report(letter, "deleted", options)
    return _counted(len(letters), "deleted", options, missed=False)


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(id=options.id, reason=options.reason, limit=options.limit)


def _rehearse(letters: Iterator[Letter], options: argparse.Namespace, what: str) -> int:
    found = [letter.brief() for letter in letters]
    _print(found, as_json=options.json)
    return _counted(len(found), what, options, missed=False)


def _counted(count: int, what: str, options: argparse.Namespace, *, missed: bool) -> int:
    if options.id and not count and not missed:
        _tell(f"no dead letter has the id {options.id}")
        return FAILED
    told = f"{count} {'letter' if count == 1 else 'letters'} {what}"
    _tell(told) if options.json else _say(told)
    return FAILED if missed else DONE


def _report(letter: Letter, outcome: str, options: argparse.Namespace) -> None:
    if options.json:
        _say(to_json({"id": letter.id, "outcome": outcome}))


def _print(letters: Sequence[Letter], *, as_json: bool) -> None:
    if as_json:
        for letter in letters:
            _say(to_json(letter.summary()))
        return
    rows = [("ID", "WHEN", "REASON", "KEY", "BODY")]
    rows += [
        (each.id, each.at, _short(each.reason), _short(each.delivery.routing_key), each.beginning) for each in letters
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows if letters else ():
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        _say("  ".join([*cells, row[-1]]).rstrip())


def _short(text: str) -> str:
    line = _shown(text)
    return line if len(line) <= REASON_WIDTH else line[: REASON_WIDTH - 1] + "…"


def _shown(text: str, *, keep: str = "") -> str:
    """Without what a terminal would obey."""
    return "".join(each if each.isprintable() or each in keep else " " for each in text)


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader has seen enough; the letters are to be given back all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str) -> None:
    print(f"worker: {text}", file=sys.stderr)
