"""Log events as the messages that the log's exchange carries, put into the outbox."""

from __future__ import annotations

import orjson
from sqlalchemy import Connection

from auth.domain import LogEvent
from common import context
from common.amqp.link import Message
from common.clock import Clock
from common.ids import new_record_id
from common.outbox import OutboxTable
from protos.topics import LOGS_EXCHANGE, log_key

SERVICE = "auth"


class OutboxEvents:
    """Events of one transaction; `recorded` counts them."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._outbox = OutboxTable()
        self.recorded = 0

    def record(self, event: LogEvent) -> None:
        self._outbox.add(self._connection, as_message(event, self._clock))
        self.recorded += 1


def as_message(event: LogEvent, clock: Clock) -> Message:
    """`name` and `data` are what the Go listener reads; the id stays the record's through every retry."""
    bound = context.current()
    record_id = new_record_id()
    body = {
        "name": event.name,
        "data": event.data,
        "id": record_id,
        "level": event.level,
        "service": SERVICE,
        "request_id": bound.request_id if bound else "",
        "trace_id": bound.trace_id if bound else "",
        "timestamp": clock.now(),
        "category": event.category,
    }
    return Message(
        LOGS_EXCHANGE,
        log_key(event.level),
        orjson.dumps(body, option=orjson.OPT_UTC_Z),
        message_id=record_id,
        headers=bound.headers() if bound else {},
    )
