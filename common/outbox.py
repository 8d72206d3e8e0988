"""Messages that are written in the same transaction as what they tell about, and reach RabbitMQ later.

Neither can be there without the other, and nobody who writes one waits for RabbitMQ. The database that owns the table `outbox`
creates it in its own migrations. A message may be published twice (the same id both times), never not at all.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson
from sqlalchemy import Connection, Engine, text

from common.amqp.link import Message
from common.errors import AppError, UnavailableError
from common.postgres import transaction

log = logging.getLogger(__name__)

BATCH = 200
# A commit in this process wakes the relay at once; this finds what other processes left behind.
LOOK_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
# A publish that is under way at the stop ends by its own time-out.
STOP_SECONDS = 6.0

_ADD = text(
    "INSERT INTO outbox (id, exchange, routing_key, body, headers)"
    " VALUES (:id, :exchange, :routing_key, :body, CAST(:headers AS jsonb))"
)
# Those that failed least come first: a message that no queue takes must not keep the others waiting.
_TAKE = text(
    "SELECT id, exchange, routing_key, body, headers FROM outbox"
    " ORDER BY attempts, created_at, id LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_REMOVE = text("DELETE FROM outbox WHERE id = ANY(:ids)")
_COUNT_ATTEMPT = text("UPDATE outbox SET attempts = attempts + 1 WHERE id = ANY(:ids)")


class OutboxTable:
    """The statements on the table `outbox`; the caller owns the transaction."""

    def add(self, connection: Connection, message: Message) -> None:
        connection.execute(
            _ADD,
            {
                "id": message.message_id,
                "exchange": message.exchange,
                "routing_key": message.routing_key,
                "body": message.body,
                "headers": orjson.dumps(dict(message.headers)).decode(),
            },
        )

    def take(self, connection: Connection, *, limit: int) -> list[Message]:
        """The next messages, locked until the transaction ends; those that another relay holds are left to it."""
        rows = connection.execute(_TAKE, {"limit": limit})
        return [
            Message(row.exchange, row.routing_key, bytes(row.body), message_id=row.id, headers=row.headers)
            for row in rows
        ]

    def remove(self, connection: Connection, ids: Sequence[str]) -> None:
        connection.execute(_REMOVE, {"ids": list(ids)})

    def count_attempt(self, connection: Connection, ids: Sequence[str]) -> None:
        connection.execute(_COUNT_ATTEMPT, {"ids": list(ids)})


class BatchPublisher(Protocol):
    def outcomes(self, messages: list[Message]) -> list[AppError | None]:
        """None for each message that RabbitMQ has taken for good. Raises AppError when nothing was sent."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of one batch."""

    taken: int
    left: int


class OutboxRelay:
    """A thread that brings what waits in the outbox to RabbitMQ. Any number of processes may run one."""

    def __init__(self, engine: Engine, publisher: BatchPublisher, *, app_id: str = "") -> None:
        self._engine = engine
        self._publisher = publisher
        self._app_id = app_id
        self._table = OutboxTable()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = 0

    def start(self) -> None:
        """Call after the fork."""
        self._thread = threading.Thread(target=self._run, name="outbox-relay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What is not published by now stays in the table."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(STOP_SECONDS)

    def notify(self) -> None:
        """Say that a message was committed."""
        self._wake.set()

    def relay_batch(self) -> Relayed:
        """One batch: what RabbitMQ confirmed is deleted, the rest keeps waiting.

        Raises AppError when the database or the message queue is away as a whole.
        """
        with transaction(self._engine) as connection:
            waiting = self._table.take(connection, limit=BATCH)
            if not waiting:
                return Relayed(0, 0)
            errors = self._publisher.outcomes([replace(message, app_id=self._app_id) for message in waiting])
            ids = [message.message_id for message in waiting]
            taken = [one for one, error in zip(ids, errors, strict=True) if error is None]
            left = [one for one, error in zip(ids, errors, strict=True) if error is not None]
            if taken:
                self._table.remove(connection, taken)
            if left:
                self._table.count_attempt(connection, left)
        return Relayed(len(taken), len(left))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                relayed = self.relay_batch()
                if relayed.left and not relayed.taken:
                    raise UnavailableError("the message queue takes nothing")  # noqa: TRY301 - one place counts failures
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a driver raises
                self._rest(error)
                continue
            self._note_success()
            if relayed.taken < BATCH:
                self._wake.wait(LOOK_SECONDS)

    def _rest(self, error: Exception) -> None:
        """Says once that messages are late, then waits, longer each time; no `notify` shortens it."""
        self._failures += 1
        if self._failures == 1:
            expected = isinstance(error, AppError)
            reason = error.message if isinstance(error, AppError) else type(error).__name__
            log.warning("outbox_delayed", extra={"reason": reason}, exc_info=None if expected else error)
        self._stopping.wait(pause(self._failures))

    def _note_success(self) -> None:
        if self._failures:
            log.info("outbox_resumed", extra={"failures": self._failures})
            self._failures = 0


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling up to a cap, with jitter against marching in step."""
    longest: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
