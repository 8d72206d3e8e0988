"""Messages that are written in the same transaction as what they tell about, and reach RabbitMQ later.

Neither can be there without the other, and nobody who writes one waits for RabbitMQ. The database that owns the table `outbox`
creates it in its own migrations. A message may be published twice (the same id both times), never not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson
from sqlalchemy import Connection, Engine, text

from common.amqp.link import Message
from common.background import BackgroundWork, Rhythm
from common.errors import AppError, UnavailableError
from common.postgres import transaction

BATCH = 200
# A commit in this process wakes the relay at once, a look finds what other processes left behind; a publish that is under way at the stop
# ends by its own time-out.
RHYTHM = Rhythm(look=1.0, longest_pause=10.0, stop=6.0)

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
    """Background work that brings what waits in the outbox to RabbitMQ. Any number of processes may run one."""

    def __init__(self, engine: Engine, publisher: BatchPublisher, *, app_id: str = "", rhythm: Rhythm = RHYTHM) -> None:
        self._engine = engine
        self._publisher = publisher
        self._app_id = app_id
        self._table = OutboxTable()
        self._background = BackgroundWork("outbox-relay", self._relay, rhythm)

    def start(self) -> None:
        """Call after the fork."""
        self._background.start()

    def stop(self) -> None:
        """What is not published by now stays in the table."""
        self._background.stop()

    def notify(self) -> None:
        """Say that a message was committed."""
        self._background.notify()

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

    def _relay(self) -> bool:
        relayed = self.relay_batch()
        if relayed.left and not relayed.taken:
            raise UnavailableError("the message queue takes nothing")
        return relayed.taken == BATCH
