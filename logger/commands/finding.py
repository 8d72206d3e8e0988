"""`query` and `tail`: entries for a person's eyes, or as lines of JSON."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from common.errors import AppError, BadReplyError, DeadlineError, InvalidError, UnavailableError
from common.web.stream_client import Incoming, StreamClient
from logger.commands import terminal
from logger.commands.codes import FOUND, NOT_FOUND
from logger.commands.events import Event, events
from logger.commands.store import opened, reader_of, wanted_of
from logger.domain import LogEntry
from logger.ports import Order, Position, Question
from logger.settings import LoggerSettings
from logger.transfer.exports import line_of

PAGE = 1_000
COLOURS = {"DEBUG": "grey", "INFO": "green", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "alarm"}

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 40.0
AGAIN_SECONDS = 2.0


def query(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """The newest entries that match, or the oldest; printed in order of time, so that the newest is the last line."""
    wanted = wanted_of(options)
    order: Order = "oldest" if options.oldest else "newest"
    progress = terminal.Progress("found, still looking")
    found: list[LogEntry] = []
    after: Position | None = None
    with opened(settings) as client:
        reader = reader_of(client)
        while True:
            page = reader.page(Question(wanted, order, min(PAGE, options.limit - len(found)), after))
            found += page.entries
            after = page.following
            if after is None or len(found) >= options.limit:
                break
            progress.show(len(found))
    progress.end()
    write = Writer(as_json=options.json)
    for entry in found if options.oldest else reversed(found):
        write.entry(entry)
    terminal.flush()
    if after is not None:
        terminal.tell(f"the {'first' if options.oldest else 'last'} {len(found)}; there are more, --limit shows them")
    return FOUND if found else NOT_FOUND


class Writer:
    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._paint = terminal.Paint()

    def entry(self, entry: LogEntry) -> None:
        if self._json:
            terminal.say_bytes(line_of(entry))
            return
        moment = f"{entry.created_at:%Y-%m-%d %H:%M:%S}.{entry.created_at.microsecond // 1000:03d}"
        self._row(moment, entry._asdict())

    def members(self, members: Mapping[str, Any]) -> None:
        """As an entry comes over HTTP."""
        if self._json:
            terminal.say_bytes(orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE))
            return
        self._row(str(members.get("created_at", "")).replace("T", " ").removesuffix("Z"), members)

    def _row(self, moment: str, entry: Mapping[str, Any]) -> None:
        paint, level = self._paint, str(entry.get("level") or "")
        name, service = (terminal.harmless(str(entry.get(each) or "")) for each in ("name", "service"))
        first, *others = str(entry.get("data") or "").splitlines() or [""]
        parts = [
            paint(moment, "grey"),
            paint(f"{level:<8}", COLOURS.get(level, "")),
            paint(f"{service:<10}", "cyan") if service else "",
            paint(name, "bold"),
            terminal.harmless(first),
        ]
        if fields := entry.get("fields"):
            parts.append(paint(terminal.harmless(orjson.dumps(fields, default=str).decode()), "grey"))
        terminal.say(" ".join(part for part in parts if part).rstrip())
        for line in others:
            terminal.say("    " + terminal.harmless(line, keep="\t"))


def tail(settings: LoggerSettings, options: argparse.Namespace) -> int:
    """Follows the log store over HTTP; after a break it goes on where it was. Ends after `limit` entries, or when it is interrupted."""
    wanted_of(options)  # a fault in the query is told as `query` tells it
    values = {"q": " ".join(options.query), "since": options.since, "until": options.until, "history": options.history}
    path = "/api/v1/logs/tail?" + urlencode({name: value for name, value in values.items() if value not in ("", None)})
    host = "127.0.0.1" if settings.bind_host in {"0.0.0.0", "::"} else settings.bind_host  # noqa: S104 - compared, not bound
    url = options.url or f"http://{host}:{settings.logger_port}"
    client = _client_of(url)
    write = Writer(as_json=options.json)
    left = options.limit
    for event in _followed(client, path):
        if event.name == "missed":
            terminal.tell(f"some entries were too fast: {event.data}")
        elif event.name == "message" and event.data:
            write.members(orjson.loads(event.data))
            terminal.flush()
            left = left and left - 1
            if left == 0:
                break
    return FOUND


def _client_of(url: str) -> StreamClient:
    """Raises InvalidError."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        usable = parts.scheme == "http" and host and url.isascii() and url.isprintable() and " " not in url
        if usable:
            return StreamClient("the log store", url, timeout=CONNECT_SECONDS, silence=SILENCE_SECONDS)
    except ValueError:  # brackets, a port or a host that can be none
        pass
    raise InvalidError("--url: is no address of a log store, such as http://127.0.0.1:8084")


def _followed(client: StreamClient, path: str) -> Iterator[Event]:
    last_id = ""
    pause = threading.Event()
    begun = False
    while True:
        try:
            incoming = client.get(
                path, {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
            )
            try:
                _check(incoming)
                begun = True
                for event in events(incoming):
                    last_id = event.id or last_id
                    yield event
            finally:
                incoming.close()
        except (BadReplyError, DeadlineError, UnavailableError) as error:
            if not begun:
                raise
            terminal.tell(f"{error.message}; trying again")
        pause.wait(AGAIN_SECONDS)


def _check(incoming: Incoming) -> None:
    """Raises the error that a refusal stands for."""
    if incoming.status == 200:
        return
    try:
        detail = str(orjson.loads(incoming.whole())["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"status {incoming.status}"
    kind: type[AppError] = InvalidError if incoming.status in {400, 422} else UnavailableError
    raise kind(f"the log store refused: {detail}")
