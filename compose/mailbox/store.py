"""Keeps the newest mails in one SQLite file: durable before SMTP answers, bounded so that it never fills a disk."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from compose.mailbox import sql
from compose.mailbox.criteria import Criteria
from compose.mailbox.message import Message, storable
from compose.mailbox.summary import Summary, summarize

BUSY_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The oldest mails go when either is passed. `size` is in bytes of mail source."""

    messages: int = 5_000
    size: int = 512 * 1024 * 1024


class StoreClosedError(Exception):
    """The mailbox is stopping; whoever waits for mail should ask again when it is back."""


class Store:
    """Safe to use from any thread. One process owns the file."""

    def __init__(self, path: Path, *, bounds: Bounds = Bounds()) -> None:
        """Raises sqlite3.Error or OSError when the file cannot be made or is no mailbox."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._bounds = bounds
        self._changed = threading.Condition()
        self._closed = False
        # From the clock, so that a page which outlives a restart still sees that something changed.
        self._revision = time.time_ns() // 1_000_000
        self._writer = self._connect()
        self._writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.executescript(sql.SCHEMA)
        self._count, self._size = self._writer.execute(sql.SELECT_USAGE).fetchone()

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._revision

    def add(self, message: Message) -> None:
        """Return when the mail is on disk. Raises sqlite3.Error when it cannot be kept."""
        row = _row(message)
        with self._writing() as db:
            db.execute(sql.INSERT_MESSAGE, row)
            db.execute(sql.INSERT_BODY, row)
            self._count += 1
            self._size += row["size"]
            self._drop_oldest(db)

    def find(self, message_id: str) -> Message | None:
        with self._reading() as db:
            row = db.execute(sql.SELECT_ONE, (message_id,)).fetchone()
        return _message(row) if row else None

    def list_summaries(self, wanted: Criteria, *, start: int, limit: int) -> tuple[int, list[Summary]]:
        """How many match in all, and the asked page of them, newest first."""
        with self._reading() as db:
            rows = db.execute(sql.SELECT_PAGE, {**asdict(wanted), "start": start, "limit": limit}).fetchall()
        page = [Summary(row[1], datetime.fromisoformat(row[2]), *row[3:]) for row in rows if row[1] is not None]
        return rows[0][0], page

    def find_newest(self, wanted: Criteria) -> Message | None:
        _, newest = self.list_summaries(wanted, start=0, limit=1)
        return self.find(newest[0].id) if newest else None

    def wait_for(self, wanted: Criteria, *, timeout: float) -> Message | None:
        """The newest mail that matches, now or within `timeout` seconds. Raises StoreClosedError."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (found := self.find_newest(wanted)) is None:
                if not self._changed.wait(deadline - time.monotonic()):
                    return None
                self._refuse_when_closed()
        return found

    def wait_for_change(self, since: int, *, timeout: float) -> int:
        """The revision, as soon as it differs from `since` or `timeout` seconds are over. Raises StoreClosedError."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._revision != since, timeout)
            self._refuse_when_closed()
            return self._revision

    def delete(self, message_id: str) -> bool:
        """Whether there was such a mail."""
        with self._writing() as db:
            gone = db.execute(sql.DELETE_ONE, (message_id,)).fetchall()
            self._forget(gone)
        return bool(gone)

    def delete_all(self) -> int:
        with self._writing() as db:
            gone = db.execute(sql.DELETE_ALL).fetchall()
            self._forget(gone)
        with self._changed:
            # As a script, because `execute` takes one step only, which frees one page.
            self._writer.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
        return len(gone)

    def close(self) -> None:
        """Wake everyone who waits, then let go of the file."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._writer.close()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreClosedError

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA foreign_keys = ON")
        # With WAL, only FULL writes through to the disk before a commit returns.
        db.execute("PRAGMA synchronous = FULL")
        return db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._changed:
            before = (self._count, self._size)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                self._count, self._size = before
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            self._revision += 1
            self._changed.notify_all()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that reading neither waits for a write nor delays one."""
        db = self._connect()
        try:
            db.execute("BEGIN")
            yield db
        finally:
            db.close()

    def _drop_oldest(self, db: sqlite3.Connection) -> None:
        """The newest mail always stays, whatever its size."""
        while self._count > 1 and (self._count > self._bounds.messages or self._size > self._bounds.size):
            self._forget(db.execute(sql.DELETE_OLDEST).fetchall())

    def _forget(self, deleted: list[tuple[int]]) -> None:
        self._count -= len(deleted)
        self._size -= sum(row[0] for row in deleted)


def _row(message: Message) -> dict[str, Any]:
    summary, terms = summarize(message)
    return {
        **asdict(summary),
        "received": message.received.isoformat(),
        "helo": storable(message.helo),
        "sender": storable(message.sender),
        "recipients": json.dumps([storable(recipient) for recipient in message.recipients]),
        "message_id": terms.message_id,
        "find_subject": terms.subject,
        "find_senders": terms.senders,
        "find_receivers": terms.receivers,
        "find_content": terms.content,
        "data": message.data,
    }


def _message(row: tuple[str, str, str, str, str, bytes]) -> Message:
    identity, received, helo, sender, recipients, data = row
    return Message(
        id=identity,
        received=datetime.fromisoformat(received),
        helo=helo,
        sender=sender,
        recipients=tuple(json.loads(recipients)),
        data=data,
    )
