"""What an SMTP client handed over: the one value that the store, the APIs and the page have in common."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime


def new_id() -> str:
    return secrets.token_hex(12)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """Envelope and bytes of one mail; `sender` is empty for a bounce (RFC 5321, 4.5.5)."""

    helo: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    id: str = field(default_factory=new_id)
    received: datetime = field(default_factory=utc_now)


def storable(text: str) -> str:
    """Replace lone surrogates, which stand for bytes that are not UTF-8 and which neither SQLite nor JSON can hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
