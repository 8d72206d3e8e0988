"""Writers on the topic exchange: confirmed and persistent, one with a `message_id` and one as a program without ids would publish."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import amqp

from tests.faults.doors import SECONDS, Door, FailedCallError, Refused, Told
from tests.faults.ledger import Entry, Identity

EXCHANGE, KEY = "logs_topic", "log.INFO"


class AmqpSender:
    """Connects when there is something to send, and anew after a failure. `mandatory`: a confirm alone does not mean routed."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._connection: Any = None
        self._channel: Any = None
        self._published = 0
        self._open: set[int] = set()
        self._refused: set[int] = set()
        self._returned: set[str] = set()

    def send(self, entries: Sequence[Entry]) -> Told:
        try:
            return self._send(entries)
        except TimeoutError as error:
            self.close()
            raise FailedCallError("AMQP no answer in time") from error
        except (OSError, amqp.AMQPError) as error:
            self.close()
            raise FailedCallError("AMQP connection") from error

    def _send(self, entries: Sequence[Entry]) -> Told:
        self._connect()
        tags = {}
        for entry in entries:
            self._published += 1
            tags[self._published] = entry
            self._open.add(self._published)
            self._channel.basic_publish(_message(entry), exchange=EXCHANGE, routing_key=KEY, mandatory=True)
        deadline = time.monotonic() + SECONDS
        while self._open:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._connection.drain_events(timeout=remaining)
        return [self._told(tag, entry) for tag, entry in tags.items()]

    def _told(self, tag: int, entry: Entry) -> str | Refused:
        if entry.name in self._returned:
            return Refused("AMQP returned", unexpected=False)
        return Refused("AMQP nack", unexpected=False) if tag in self._refused else "queued"

    def _connect(self) -> None:
        if self._connection is not None:
            return
        self._connection = amqp.Connection(
            f"{self._address.hostname}:{self._address.port}",
            userid=self._address.username,
            password=self._address.password,
            connect_timeout=SECONDS,
            read_timeout=SECONDS,
            write_timeout=SECONDS,
        )
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - py-amqp's callback
        self._open -= {each for each in self._open if each <= tag} if multiple else {tag}

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - py-amqp's callback
        self._refused |= {each for each in self._open if each <= tag} if multiple else {tag}
        self._on_ack(tag, multiple)

    def _on_return(self, _error: Exception, _exchange: str, _key: str, message: Any) -> None:
        self._returned.add(json.loads(message.body)["name"])

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        self._published = 0
        self._open, self._refused, self._returned = set(), set(), set()
        if connection is None:
            return
        with suppress(OSError, amqp.AMQPError, AttributeError):  # the driver stumbles over its own half-open state
            connection.collect()


def _message(entry: Entry) -> amqp.Message:
    body = json.dumps({"name": entry.name, "data": entry.data})
    properties = {"message_id": entry.id} if entry.id else {}
    return amqp.Message(body, delivery_mode=2, content_type="application/json", **properties)


def _opened(env: Mapping[str, str]) -> AmqpSender:
    return AmqpSender(env["RABBIT_URL"])


DOORS = (
    Door("amqp with message_id", _opened, batch=10, pause=0.5),
    Door("amqp without id", _opened, batch=10, pause=0.5, identity=Identity.NONE),
)
