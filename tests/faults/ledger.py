"""What the writers of one row sent and what they were told: the left side of the comparison with the store."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from common.ids import new_record_id

FILLER = "x" * 40


class Identity(StrEnum):
    """By what a retry is known to be one: the entry's id, the request's Idempotency-Key, or nothing."""

    ID = "id"
    KEY = "key"
    NONE = "none"


@dataclass(slots=True, eq=False)
class Entry:
    """`name` is its own in the whole run; `id` is empty for writers that give none. `place` is where the answer said it is."""

    name: str
    id: str
    data: str
    door: str
    identity: Identity
    attempts: int = 0
    place: str = ""

    @property
    def is_acknowledged(self) -> bool:
        return bool(self.place)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a writer. Times are of the monotonic clock; `error` is empty when all entries were taken."""

    door: str
    began: float
    ended: float
    error: str


@dataclass(frozen=True, slots=True)
class Fault:
    """When the fault began and when its cause was taken away again."""

    began: float
    ended: float


@dataclass(slots=True)
class Ledger:
    """Thread-safe. `prefix` begins the name of every entry."""

    prefix: str = field(default_factory=lambda: f"ledger-{secrets.token_hex(5)}-")
    entries: list[Entry] = field(default_factory=list)
    # request ids of the logins that went well; each leaves one event in the store
    logins: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    # what a correct system never says, such as a status 500 or the refusal of a good entry
    unexpected: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new(self, door: str, count: int, *, identity: Identity = Identity.ID) -> list[Entry]:
        """Entries that nobody has sent yet."""
        with self._lock:
            first = len(self.entries)
            made = [
                Entry(
                    f"{self.prefix}{number}",
                    new_record_id() if identity is Identity.ID else "",
                    f"{number} {FILLER}",
                    door,
                    identity,
                )
                for number in range(first, first + count)
            ]
            self.entries.extend(made)
        return made

    def took(self, entry: Entry, place: str) -> None:
        """The writer was told that the entry is at `place`: mongodb, queued or spooled."""
        entry.place = place

    def called(self, door: str, began: float, *, error: str = "", unexpected: bool = False) -> None:
        """A call has ended. `error` names the kind of failure, without what differs from call to call."""
        with self._lock:
            self.calls.append(Call(door, began, time.monotonic(), error))
            if error:
                self.errors[error] += 1
            if unexpected:
                self.unexpected[f"{door}: {error}"] += 1

    def calls_of(self, door: str) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.door == door]

    def works(self, door: str, *, since: float, calls: int = 3) -> bool:
        """Whether the last `calls` calls of the door, all begun after `since`, went well."""
        last = self.calls_of(door)[-calls:]
        return len(last) == calls and all(call.began >= since and not call.error for call in last)


def seconds_until_back(calls: list[Call], fault: Fault) -> float | None:
    """From the end of the fault to the first good answer after which no call of the door failed; None when it never came.

    0 for a door that never failed after the fault's end.
    """
    failures = [call.ended for call in calls if call.error and call.ended >= fault.began]
    last = max(failures, default=fault.began)
    good = [call.ended for call in calls if not call.error and call.ended > last]
    if not good:
        return None
    return max(0.0, min(good) - fault.ended) if failures else 0.0
