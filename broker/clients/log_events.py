"""The log store through RabbitMQ: an event on `logs_topic`, confirmed and routed before the caller is answered."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from broker.clients.entry_json import as_members
from broker.domain import LogOrder, Receipt, Result, Via
from common import context
from common.amqp.link import Message
from common.amqp.publisher import Publisher
from protos.topics import LOGS_EXCHANGE, log_key

_QUEUED = Receipt("queued", "logged via RabbitMQ", Via.AMQP)


class LogEvents:
    """The publisher groups what comes at the same time by itself. `patience`: seconds to wait for confirms."""

    def __init__(self, publisher: Publisher, *, patience: float) -> None:
        self._publisher = publisher
        self._patience = patience

    def write_many(self, orders: Sequence[LogOrder]) -> list[Result]:
        errors = self._publisher.outcomes([_message(order) for order in orders], timeout=self._patience)
        return [_QUEUED if error is None else error for error in errors]


def _message(order: LogOrder) -> Message:
    return Message(
        LOGS_EXCHANGE,
        log_key(order.level),
        orjson.dumps(as_members(order)),
        message_id=order.id,
        headers={context.REQUEST_ID_HEADER: order.request_id, context.TRACEPARENT_HEADER: order.traceparent},
        app_id="broker",
    )
