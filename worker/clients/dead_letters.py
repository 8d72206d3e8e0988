"""Puts messages that never can be stored where somebody can look at them: the dead-letter exchange, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from amqp.serialization import dumps

from common.amqp.link import Message
from common.amqp.publisher import Publisher
from common.clock import Clock
from common.ids import new_record_id
from protos.topics import LOGS_DEAD_EXCHANGE, LOGS_QUEUE, ORIGIN_HEADER, REASON_HEADER, REFUSED_AT_HEADER
from worker.domain import Delivery, Rejected

# Headers travel in one frame, 128 KiB by default; a larger one makes the broker close the connection.
MAX_HEADER_BYTES = 100_000
PORTION_MESSAGES = 100
PORTION_BYTES = 8 * 1024 * 1024

# The broker closes the channel when user-id is not the connection's user, and `expiration` would let the archive forget.
_NOT_REPEATABLE = {"user_id": "x-original-user-id", "expiration": "x-original-expiration"}
_CARRIED = ("content_type", "content_encoding", "correlation_id", "reply_to", "priority", "timestamp", "type", "app_id")


class RabbitDeadLetters:
    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    def can_carry(self, rejected: Rejected) -> bool:
        """The driver reads headers that it cannot write, such as some decimals."""
        try:
            return len(dumps("F", [self._headers(rejected)])) <= MAX_HEADER_BYTES
        except Exception:  # noqa: BLE001 - the driver raises whatever its packing meets
            return False

    def keep(self, rejected: Sequence[Rejected]) -> None:
        for portion in _portions(rejected):
            self._publisher.publish_many([self._message(each) for each in portion])

    def _message(self, rejected: Rejected) -> Message:
        delivery = rejected.delivery
        return Message(
            exchange=LOGS_DEAD_EXCHANGE,
            routing_key=delivery.routing_key,
            body=delivery.body,
            message_id=_message_id(delivery),
            headers=self._headers(rejected),
            properties={name: delivery.properties.get(name) for name in _CARRIED},
        )

    def _headers(self, rejected: Rejected) -> dict[str, object]:
        delivery = rejected.delivery
        kept = {
            name: delivery.properties[prop] for prop, name in _NOT_REPEATABLE.items() if prop in delivery.properties
        }
        return {
            **delivery.headers,
            **kept,
            REASON_HEADER: rejected.reason,
            ORIGIN_HEADER: LOGS_QUEUE,
            REFUSED_AT_HEADER: self._clock.now().isoformat(timespec="milliseconds"),
        }


def _message_id(delivery: Delivery) -> str:
    """The publisher tells returned messages apart by their id, so one without gets one."""
    given = delivery.properties.get("message_id")
    return given if isinstance(given, str) and given else new_record_id()


def _portions(rejected: Sequence[Rejected]) -> Iterator[list[Rejected]]:
    """Small enough that each is confirmed within the publisher's time-out."""
    portion: list[Rejected] = []
    weight = 0
    for each in rejected:
        size = len(each.delivery.body)
        if portion and (len(portion) >= PORTION_MESSAGES or weight + size > PORTION_BYTES):
            yield portion
            portion, weight = [], 0
        portion.append(each)
        weight += size
    if portion:
        yield portion
