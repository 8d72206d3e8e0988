"""What the gateway passes around. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from common.errors import AppError
from common.outcomes import Fate, Place


class Via(StrEnum):
    """The protocols that carry a log entry to the store."""

    HTTP = "http"
    RPC = "rpc"
    GRPC = "grpc"
    AMQP = "amqp"


# What an answer names instead of a protocol when the entry waits on this machine.
SPOOL = "spool"


@dataclass(slots=True)
class LogOrder:
    """An entry on its way to the log store. The gateway is its first door, so `id` is set here and kept to the end.

    Not frozen, which would make building one twice as expensive; nobody changes one all the same. `traceparent` is the request's, for the
    next hop; `span_id` is the entry's own, if its writer gave one.
    """

    id: str
    name: str
    data: str
    level: str
    service: str
    timestamp: str
    request_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    traceparent: str = ""
    fields: Mapping[str, Any] | None = None
    category: str = ""

    def weight(self) -> int:
        """Its bytes, about; fields count as what they mostly are."""
        return len(self.data) if self.fields is None else len(self.data) + 4096


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry was taken. `words` are the door's own for that; `via` names the door: a protocol, or SPOOL."""

    fate: Fate
    words: str
    via: str


# An InvalidError says that the entry never will be taken; another error, that this door did not take it now.
Result = Receipt | AppError


@dataclass(frozen=True, slots=True)
class Answer:
    """What the envelope says: a message for people, data for programs. `place`: where the log entry it is about is."""

    message: str
    data: dict[str, Any] | None = field(default=None)
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """An answer of the service behind that goes to our caller as it is."""

    status: int
    content: bytes
    headers: Mapping[str, str]
