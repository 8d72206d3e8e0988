"""A log entry as JSON members, the same towards the logger, the message queue and the spool."""

from __future__ import annotations

from typing import Any

import orjson

from broker.domain import LogOrder


def as_members(order: LogOrder) -> dict[str, Any]:
    """`name` and `data` first, as the Go original's listener reads them; what is not given is left out."""
    members: dict[str, Any] = {
        "name": order.name,
        "data": order.data,
        "id": order.id,
        "level": order.level,
        "service": order.service,
        "timestamp": order.timestamp,
        "request_id": order.request_id,
        "trace_id": order.trace_id,
    }
    if order.span_id:
        members["span_id"] = order.span_id
    if order.fields:
        members["fields"] = order.fields
    if order.category:
        members["category"] = order.category
    return members


def to_record(order: LogOrder) -> bytes:
    """All of an order, for the spool."""
    return orjson.dumps(order)


def from_record(record: bytes) -> LogOrder:
    """Raises ValueError or TypeError for what is no record of `to_record`."""
    return LogOrder(**orjson.loads(record))
