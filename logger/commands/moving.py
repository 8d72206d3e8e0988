"""`export` and `import`: many entries out of the log store and into it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from common.errors import InvalidError, UnavailableError
from logger.commands import terminal
from logger.commands.codes import FOUND, MISUSED, NOT_FOUND
from logger.commands.store import opened, reader_of, wanted_of
from logger.domain import arrival
from logger.mongo.imports import ForeignCollection, MongoCheckpoints, MongoTarget
from logger.settings import LoggerSettings
from logger.transfer.exports import Export, gzipped
from logger.transfer.imports import Import, Report
from logger.transfer.ndjson import LinesFile


def export(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """Oldest first. A file gets its name only when it is complete."""
    wanted = wanted_of(options)
    path: Path | None = options.output
    progress = terminal.Progress("exported")
    with opened(settings) as client:
        begun = Export(reader_of(client), wanted)
        begun.begin()
        with _output(path) as file:
            pieces: Iterable[bytes] = _watched(begun, progress)
            for piece in gzipped(pieces) if path is not None and path.suffix == ".gz" else pieces:
                file.write(piece)
            if path is not None and not begun.complete:
                raise UnavailableError(begun.reason)
    progress.end()
    if not begun.complete:
        raise UnavailableError(begun.reason)
    terminal.tell(f"{begun.entries:,} entries exported")
    return FOUND if begun.entries else NOT_FOUND


def _watched(begun: Export, progress: terminal.Progress) -> Iterator[bytes]:
    for piece in begun.pieces():
        yield piece
        progress.show(begun.entries)


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or the file; what was there under its name stays until the new one is complete."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def bring_in(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """An import; what it would do when it is only rehearsed."""
    if (options.file is None) == (options.from_mongo is None):
        terminal.tell("import: give a file, or --from-mongo with an address")
        return MISUSED
    source: LinesFile | ForeignCollection
    if options.file is not None:
        source = LinesFile(options.file)
    else:
        source = ForeignCollection(options.from_mongo, options.collection)
    progress = terminal.Progress("read")
    with opened(settings) as client:
        work = Import(MongoTarget(client), MongoCheckpoints(client), came=arrival("http", datetime.now(UTC)))

        def show(report: Report, share: float | None) -> None:
            progress.show(report.read, share)

        try:
            report = work.rehearse(source, show) if options.dry_run else work.run(source, show, afresh=options.restart)
        finally:
            progress.end()
    _tell_report(report, options)
    early = source.incomplete if isinstance(source, LinesFile) else ""
    if early:
        terminal.tell(early)
    return NOT_FOUND if report.refused or early else FOUND


def _tell_report(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        terminal.say(orjson.dumps({"dry_run": options.dry_run, **report.as_json()}).decode())
        return
    would = "would be " if options.dry_run else ""
    terminal.say(f"{report.read:>12,}  entries read")
    terminal.say(f"{report.new:>12,}  {would}new")
    terminal.say(f"{report.present:>12,}  there already, left as they are")
    if report.unnamed:
        terminal.say(f"{report.unnamed:>12,}  {would}named 'unnamed', since they had no name")
    if report.undated:
        terminal.say(
            f"{report.undated:>12,}  {would}given the time of the import, since neither they nor their ids say one"
        )
    terminal.say(f"{report.refused.total():>12,}  refused")
    for reason, count in report.refused.most_common():
        places = ", ".join(map(terminal.harmless, report.examples.get(reason, [])))
        terminal.say(f"{count:>12,}    {terminal.harmless(reason)} ({places}{', ...' if count > 3 else ''})")
