"""The values of the listener: what arrives, what is kept, what is set aside, and what the message queue is told. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came, undecoded. `tag` counts the deliveries of one channel from 1."""

    tag: int
    body: bytes
    routing_key: str
    headers: Mapping[str, object]
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the log store gets. Empty means that neither the body nor the message's properties said it. `fields` is a JSON object's text."""

    id: str
    name: str
    data: str
    level: str
    service: str
    request_id: str
    trace_id: str
    span_id: str
    timestamp: str
    fields: str
    category: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    delivery: Delivery
    entry: Entry


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is given up, and why. `record_id` is the identity that the attempts used; empty when there was none yet."""

    delivery: Delivery
    reason: str
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class Postponed:
    """A message that comes again after its time in the retry tier `tier`. Without a `reason` it only waits, and no attempt is counted."""

    delivery: Delivery
    record_id: str
    tier: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the broker is to be told: `tag` (and with `multiple` all before it) is done, or is `refused` to its dead letters."""

    tag: int
    multiple: bool = False
    refused: bool = False
