"""A writer: sends new entries at its pace, notes what it is told, and sends what failed again, with the same id."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

from tests.faults.doors import Door, FailedCallError, Refused, Sender
from tests.faults.ledger import Entry, Ledger

ATTEMPTS = 7
FIRST_PAUSE, LONGEST_PAUSE = 0.3, 4.0
# What still has to be sent again when the row ends is tried for this long.
LAST_SECONDS = 6.0


class Writer(threading.Thread):
    def __init__(self, door: Door, env: Mapping[str, str], ledger: Ledger) -> None:
        super().__init__(name=f"writer {door.name}", daemon=True)
        self._door = door
        self._env = env
        self._ledger = ledger
        self._again: deque[tuple[float, Entry]] = deque()
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        sender = self._door.open(self._env)
        try:
            while not self._stopping.is_set():
                self._send(sender, self._due() or self._new())
                self._stopping.wait(self._door.pause)
            self._finish(sender)
        finally:
            sender.close()

    def _new(self) -> list[Entry]:
        return self._ledger.new(self._door.name, self._door.batch, identity=self._door.identity)

    def _due(self) -> list[Entry]:
        """What failed and has waited long enough, at most a batch."""
        now = time.monotonic()
        ready = [entry for when, entry in self._again if when <= now][: self._door.batch]
        self._again = deque((when, entry) for when, entry in self._again if entry not in ready)
        return ready

    def _finish(self, sender: Sender) -> None:
        end = time.monotonic() + LAST_SECONDS
        pace = threading.Event()
        while self._again and time.monotonic() < end:
            if ready := self._due():
                self._send(sender, ready)
            pace.wait(self._door.pause)

    def _send(self, sender: Sender, entries: Sequence[Entry]) -> None:
        began = time.monotonic()
        for entry in entries:
            entry.attempts += 1
        try:
            told = sender.send(entries)
        except Exception as error:  # noqa: BLE001 - a writer that dies quietly would acknowledge nothing and so lose nothing
            failure = _failure(error)
            self._ledger.called(self._door.name, began, error=failure.kind, unexpected=failure.unexpected)
            self._keep(entries)
            return
        refused = [each for each in told if isinstance(each, Refused)]
        for entry, each in zip(entries, told, strict=True):
            if not isinstance(each, Refused):
                self._ledger.took(entry, each)
        error = refused[0].reason if refused else ""
        self._ledger.called(
            self._door.name, began, error=error, unexpected=any(refusal.unexpected for refusal in refused)
        )
        self._keep([entry for entry, each in zip(entries, told, strict=True) if isinstance(each, Refused)])

    def _keep(self, entries: Sequence[Entry]) -> None:
        """For another attempt; who has had all of them gives up, and it stays unknown whether the entry is stored."""
        for entry in entries:
            if entry.attempts < ATTEMPTS:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (entry.attempts - 1))
                self._again.append((time.monotonic() + pause, entry))


def _failure(error: Exception) -> FailedCallError:
    if isinstance(error, FailedCallError):
        return error
    return FailedCallError(f"{type(error).__name__}: {error}"[:200], unexpected=True)
