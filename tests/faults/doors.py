"""What every door's writer has in common: how it is opened, what it is told, and how a call fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.faults.ledger import Entry, Identity

# What a patient client waits; every answer of this system is promised sooner while the asked part itself runs.
SECONDS = 10.0


class FailedCallError(Exception):
    """The call brought no answer, or one that says no. `unexpected` marks what a correct system never says."""

    def __init__(self, kind: str, *, unexpected: bool = False) -> None:
        super().__init__(kind)
        self.kind = kind
        self.unexpected = unexpected


@dataclass(frozen=True, slots=True)
class Refused:
    """One entry of a call was not taken."""

    reason: str
    unexpected: bool = True


# for each entry where it is now (mongodb, queued, spooled), or that it was refused
Told = Sequence[str | Refused]


class Sender(Protocol):
    """One writer's own connection; makes a new one by itself after a failure."""

    def send(self, entries: Sequence[Entry]) -> Told:
        """Raises FailedCallError."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Door:
    """`batch` entries a call, `pause` seconds between calls. Without any identity at-least-once is all that can be promised."""

    name: str
    open: Callable[[Mapping[str, str]], Sender]
    batch: int = 1
    pause: float = 0.1
    identity: Identity = Identity.ID
