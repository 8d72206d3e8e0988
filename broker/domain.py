"""What the gateway passes around. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Via(StrEnum):
    """The protocols that carry a log entry to the store."""

    HTTP = "http"
    RPC = "rpc"
    GRPC = "grpc"
    AMQP = "amqp"


@dataclass(frozen=True, slots=True)
class LogOrder:
    """An entry on its way to the log store. The gateway is its first door, so `id` is set here and kept to the end."""

    id: str
    name: str
    data: str
    level: str
    service: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the envelope says: a message for people, data for programs."""

    message: str
    data: dict[str, Any] | None = field(default=None)
