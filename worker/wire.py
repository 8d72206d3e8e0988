"""Makes py-amqp survive messages whose properties or routing key it cannot decode.

It decodes them while it reads the socket, before any consumer sees the message, and what it raises there ends the whole worker: one
message with a time stamp beyond the year 9999 would stop every listener, again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import Any

from amqp import spec
from amqp.serialization import PROPERTY_CLASSES, decode_properties_basic

UNREADABLE = "unreadable"

# The method's class and id, two octets each, then the consumer tag as a short string, then the delivery tag (AMQP 0-9-1, basic.deliver).
_METHOD_OCTETS = 4


def _tolerant(buf: bytes, offset: int) -> tuple[dict[str, Any], int]:
    try:
        decoded: tuple[dict[str, Any], int] = decode_properties_basic(buf, offset)
    except Exception:  # noqa: BLE001 - struct, unicode, date and recursion errors alike
        return {UNREADABLE: True}, len(buf)
    return decoded


def read_any_properties() -> None:
    """For the whole process: undecodable properties become the one property UNREADABLE."""
    PROPERTY_CLASSES[spec.Basic.CLASS_ID] = _tolerant


def guard(channel: Any, refuse: Callable[[int], None]) -> None:  # noqa: ANN401 - amqp ships no types
    """On this channel, a delivery whose routing key cannot be decoded goes to `refuse` with its delivery tag."""
    dispatch = channel.dispatch_method

    def tolerant_dispatch(method_sig: tuple[int, int], payload: bytes, content: object) -> None:
        try:
            dispatch(method_sig, payload, content)
        except UnicodeDecodeError:
            if method_sig != spec.Basic.Deliver:
                raise
            refuse(_delivery_tag(payload))

    channel.dispatch_method = tolerant_dispatch


def _delivery_tag(payload: bytes) -> int:
    consumer_tag_length: int = payload[_METHOD_OCTETS]
    tag: int = unpack_from(">Q", payload, _METHOD_OCTETS + 1 + consumer_tag_length)[0]
    return tag
