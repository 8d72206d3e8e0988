"""A copy of a message as it came, for another exchange. Small enough portions, so that each is confirmed within the publisher's time-out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from amqp.serialization import dumps

from common.amqp.link import Message
from common.ids import new_record_id
from worker.domain import Delivery

# Headers travel in one frame, 128 KiB by default; a larger one makes the broker close the connection.
MAX_HEADER_BYTES = 100_000
PORTION_MESSAGES = 100
PORTION_BYTES = 8 * 1024 * 1024

# The broker closes the channel when user-id is not the connection's user, and `expiration` would let a queue forget.
_NOT_REPEATABLE = {"user_id": "x-original-user-id", "expiration": "x-original-expiration"}
_CARRIED = ("content_type", "content_encoding", "correlation_id", "reply_to", "priority", "timestamp", "type", "app_id")


class Delivered(Protocol):
    """What is made of a delivery."""

    @property
    def delivery(self) -> Delivery: ...


S = TypeVar("S", bound=Delivered)


def copy_of(delivery: Delivery, *, exchange: str, headers: Mapping[str, object], record_id: str = "") -> Message:
    """Key, body and properties as they came. A message without an id gets `record_id`, so that all its copies collapse into one record."""
    kept = {name: delivery.properties[prop] for prop, name in _NOT_REPEATABLE.items() if prop in delivery.properties}
    return Message(
        exchange=exchange,
        routing_key=delivery.routing_key,
        body=delivery.body,
        message_id=message_id(delivery) or record_id or new_record_id(),
        headers={**headers, **kept},
        properties={name: delivery.properties.get(name) for name in _CARRIED},
    )


def message_id(delivery: Delivery) -> str:
    given = delivery.properties.get("message_id")
    return given if isinstance(given, str) else ""


def is_writable(headers: Mapping[str, object]) -> bool:
    """The driver reads headers that it cannot write, such as some decimals."""
    try:
        return len(dumps("F", [dict(headers)])) <= MAX_HEADER_BYTES
    except Exception:  # noqa: BLE001 - the driver raises whatever its packing meets
        return False


def portions(messages: Iterable[S], *, most: int = PORTION_MESSAGES) -> Iterator[list[S]]:
    portion: list[S] = []
    weight = 0
    for each in messages:
        size = len(each.delivery.body)
        if portion and (len(portion) >= most or weight + size > PORTION_BYTES):
            yield portion
            portion, weight = [], 0
        portion.append(each)
        weight += size
    if portion:
        yield portion
