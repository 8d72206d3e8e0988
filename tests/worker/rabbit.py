"""RabbitMQ as a publisher of events and a reader of dead letters sees it, past every service."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import amqp
from kombu.utils.url import url_to_parts

SECONDS = 10


class Rabbit:
    """One connection, used by one test."""

    def __init__(self, url: str) -> None:
        parts = url_to_parts(url)
        self.connection = amqp.Connection(
            f"{parts.hostname}:{parts.port}", userid=parts.username, password=parts.password, connect_timeout=SECONDS
        )
        self.connection.connect()
        self.channel = self.connection.channel()
        self.channel.auto_decode = False
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self._on_ack)
        self._published = 0
        self._confirmed = 0

    def _on_ack(self, tag: int, _multiple: object) -> None:
        self._confirmed = max(self._confirmed, tag)

    def publish(
        self,
        *bodies: bytes,
        key: str = "log.INFO",
        headers: dict | None = None,
        exchange: str = "logs_topic",
        **properties,
    ) -> None:
        """Returns when the broker has confirmed all of them."""
        for body in bodies:
            message = amqp.Message(body, delivery_mode=2, application_headers=headers, **properties)
            self.channel.basic_publish(message, exchange=exchange, routing_key=key)
            self._published += 1
        while self._confirmed < self._published:
            self.connection.drain_events(timeout=SECONDS)

    def waiting(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).message_count)

    def consumers(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).consumer_count)

    def take(self, queue: str) -> amqp.Message | None:
        """The next message, gone from the queue."""
        return self.channel.basic_get(queue, no_ack=True)

    def purge(self, *names: str) -> None:
        for name in names:
            self.channel.queue_purge(name)


@contextmanager
def connected(url: str) -> Iterator[Rabbit]:
    rabbit = Rabbit(url)
    try:
        yield rabbit
    finally:
        with suppress(OSError, amqp.AMQPError):  # a test may have restarted the broker
            rabbit.connection.close()


def events(count: int) -> tuple[list[str], list[bytes]]:
    """Ids and bodies of new events."""
    run = secrets.token_hex(6)
    ids = [f"{run}-{number}" for number in range(count)]
    return ids, [json.dumps({"name": "event", "data": f"data of {each}", "id": each}).encode() for each in ids]
