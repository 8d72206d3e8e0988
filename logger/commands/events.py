"""Reading Server-Sent Events (HTML Living Standard, section 9.2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Event(NamedTuple):
    name: str
    data: str
    id: str


class Pieces(Protocol):
    def read(self) -> bytes:
        """Empty at the end."""


def events(incoming: Pieces) -> Iterator[Event]:
    """Whole ones; an event without data, which only says where the reader is, has the name "message" and no data."""
    rest = b""
    while piece := incoming.read():
        rest += piece
        *blocks, rest = rest.split(b"\n\n")
        for block in blocks:
            event = _event(block.decode(errors="replace"))
            if event is not None:
                yield event


def _event(block: str) -> Event | None:
    name, identity = "message", ""
    data: list[str] = []
    for line in block.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            identity = value
    return Event(name, "\n".join(data), identity) if data or identity else None
