"""The log store through RabbitMQ: an event on `logs_topic`, confirmed and routed before the caller is answered."""

from __future__ import annotations

import orjson

from broker.domain import LogOrder
from common import context
from common.amqp.link import Message
from common.amqp.publisher import Publisher
from protos.topics import LOGS_EXCHANGE, log_key


class LogEvents:
    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def write(self, order: LogOrder) -> str:
        """`name` and `data` first, as the Go original's listener reads them."""
        body = {
            "name": order.name,
            "data": order.data,
            "id": order.id,
            "level": order.level,
            "service": order.service,
            "timestamp": order.timestamp,
        }
        bound = context.current()
        self._publisher.publish(
            Message(
                LOGS_EXCHANGE,
                log_key(order.level),
                orjson.dumps(body),
                message_id=order.id,
                headers=bound.headers() if bound else {},
                app_id="broker",
            )
        )
        return "logged via RabbitMQ"
