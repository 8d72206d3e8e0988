"""The dead letters as an operator's command reads them: every letter is held unsettled, then the ones that are done with are
acknowledged and all others go back.

RabbitMQ cannot be asked for a message without delivering it, and a quorum queue counts the deliveries; from 4.0 on it drops a message
after 20 of them unless the queue was declared otherwise, and the archive was not, which cannot be changed for a queue that exists. So a
letter that has been looked at often is renewed: a copy, confirmed, takes its place and is counted from 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import amqp
from kombu import Connection

from common.amqp.link import TRANSPORT_OPTIONS
from common.amqp.publisher import Publisher
from common.amqp.topology import Topology, declare
from common.errors import AppError, UnavailableError
from protos.topics import LOGS_DEAD_EXCHANGE, LOGS_DEAD_QUEUE, LOGS_REQUEUE_EXCHANGE
from worker.clients.messages import copy_of, is_writable, portions
from worker.domain import Delivery
from worker.history import Headers, deliveries_before, replayed, without_counters
from worker.letters import Letter, letter_of
from worker.wire import UNREADABLE, guard, read_any_properties

CONNECT_SECONDS = 3
# Without a delivery for so long, somebody else holds the rest.
SILENT_SECONDS = 5.0
# AMQP carries it in 16 bits; more letters are looked at by the next command.
MOST = 65_535
WORN_DELIVERIES = 10
# Of letters that are to be renewed; the others are at the next look.
RENEWED_BYTES = 64 * 1024 * 1024
# Letters whose copies are confirmed together.
PORTION = 500


class Archive:
    """One command's hold on the archive. Whatever is not `done` goes back when it closes."""

    def __init__(self, channel: Any, publisher: Callable[[], Publisher]) -> None:  # noqa: ANN401 - amqp ships no types
        self._channel = channel
        self._publisher = publisher
        self._worn: dict[int, Letter] = {}
        self._worn_bytes = 0
        self._consumer = ""
        self.ready: int = channel.queue_declare(LOGS_DEAD_QUEUE, passive=True).message_count
        # Letters whose routing key cannot be read; they stay where they are.
        self.unreadable = 0

    def letters(self, limit: int | None = None) -> Iterator[Letter]:
        """The first `limit` letters of those that lie there now. What arrives meanwhile is left alone."""
        wanted = min(self.ready, MOST, limit if limit is not None else MOST)
        if not wanted:
            return
        arrived: deque[Any] = deque()
        guard(self._channel, lambda _tag: arrived.append(None))
        self._channel.basic_qos(0, wanted, False)
        self._consumer = self._channel.basic_consume(LOGS_DEAD_QUEUE, no_ack=False, callback=arrived.append)
        for _ in range(wanted):
            while not arrived:
                try:
                    self._channel.connection.drain_events(timeout=SILENT_SECONDS)
                except TimeoutError:
                    return
            message = arrived.popleft()
            if message is None:
                self.unreadable += 1
            else:
                yield self._taken(message)

    def done(self, letters: Sequence[Letter]) -> None:
        """Deletes them."""
        for letter in letters:
            self._worn.pop(letter.delivery.tag, None)
            self._channel.basic_ack(letter.delivery.tag)

    def replay(self, letters: Sequence[Letter], *, at: str) -> list[AppError | None]:
        """Sends each back to the listener, and deletes it here when RabbitMQ has confirmed the copy. One outcome for each, in order."""
        return self._moved(letters, LOGS_REQUEUE_EXCHANGE, lambda headers: replayed(headers, at=at))

    def close(self) -> None:
        # First the end of the consumer, since RabbitMQ would send at once again what is given back to it.
        if self._consumer:
            self._channel.basic_cancel(self._consumer)
        worn = [each for each in self._worn.values() if is_writable(each.delivery.headers)]
        for portion in portions(worn, most=PORTION):
            self._moved(portion, LOGS_DEAD_EXCHANGE, without_counters)
        # In one step: returned one by one, thousands of letters would be out of sight for seconds after the command.
        self._channel.close()

    def _moved(
        self, letters: Sequence[Letter], exchange: str, headers: Callable[[Headers], Mapping[str, object]]
    ) -> list[AppError | None]:
        copies = [
            copy_of(
                each.delivery,
                exchange=exchange,
                headers=headers(each.delivery.headers),
                record_id=each.id if each.identified else "",
            )
            for each in letters
        ]
        outcomes = self._publisher().outcomes(copies)
        self.done([letter for letter, error in zip(letters, outcomes, strict=True) if error is None])
        return outcomes

    def _taken(self, message: Any) -> Letter:  # noqa: ANN401 - amqp ships no types
        body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
        properties = message.properties
        headers = properties.get("application_headers") or {}
        tag = message.delivery_info["delivery_tag"]
        letter = letter_of(Delivery(tag, body, message.delivery_info["routing_key"], headers, properties))
        worn = deliveries_before(headers) >= WORN_DELIVERIES and UNREADABLE not in properties
        if worn and self._worn_bytes + len(body) <= RENEWED_BYTES:
            self._worn[tag] = letter
            self._worn_bytes += len(body)
        return letter


@contextmanager
def opened(url: str, topology: Topology, *, timeout: float) -> Iterator[Archive]:
    """Raises UnavailableError when RabbitMQ cannot be reached, refuses, or is lost on the way; then every letter is where it was."""
    read_any_properties()
    publishers: list[Publisher] = []

    def publisher() -> Publisher:
        if not publishers:
            publishers.append(Publisher(url, topology, timeout=timeout))
            publishers[0].start()
        return publishers[0]

    connection = Connection(
        url, connect_timeout=CONNECT_SECONDS, heartbeat=0, transport_options=dict(TRANSPORT_OPTIONS)
    )
    try:
        channel: Any = connection.channel()
        channel.auto_decode = False
        declare(channel, topology)
        archive = Archive(channel, publisher)
        try:
            yield archive
        finally:
            archive.close()
    except (amqp.AccessRefused, amqp.NotAllowed) as error:
        raise UnavailableError("the message queue refuses the user of RABBIT_URL") from error
    except amqp.PreconditionFailed as error:
        raise UnavailableError("a queue of the listener exists with other properties") from error
    except (OSError, amqp.AMQPError) as error:
        raise UnavailableError("the message queue cannot be reached or was lost") from error
    finally:
        for each in publishers:
            each.stop()
        connection.release()
