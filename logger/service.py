"""The use cases of the log store, the same behind every door."""

from __future__ import annotations

from collections.abc import Sequence

from common import context
from common.clock import Clock
from common.errors import InvalidError, NotFoundError
from common.outcomes import Outcome
from logger.domain import Arrival, Draft, LogEntry, accept, arrival
from logger.ports import EntryWriter, LogStore


class LogService:
    def __init__(self, store: LogStore, writer: EntryWriter, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock

    def record(self, draft: Draft, *, door: str) -> Outcome:
        """Returns when the entry is durable. Raises InvalidError, TooManyError, UnavailableError or DeadlineError."""
        entry = accept(draft, self._arrival(door))
        (new,) = self._writer.write([entry])
        return Outcome("stored" if new else "duplicate", entry.id)

    def record_many(self, drafts: Sequence[Draft | InvalidError], *, door: str) -> list[Outcome | InvalidError]:
        """One result for each draft, in order: an invalid one does not keep the others out, nor one that could not even be read.

        Raises as `record` does when the valid ones cannot be stored.
        """
        entries: list[LogEntry] = []
        refused: list[tuple[int, InvalidError]] = []
        came = self._arrival(door)
        for index, draft in enumerate(drafts):
            try:
                if isinstance(draft, InvalidError):
                    raise draft
                entries.append(accept(draft, came))
            except InvalidError as error:
                refused.append((index, error))
        fresh = self._writer.write(entries) if entries else ()
        results: list[Outcome | InvalidError] = [
            Outcome("stored" if new else "duplicate", entry.id) for entry, new in zip(entries, fresh, strict=True)
        ]
        for index, fault in refused:
            results.insert(index, fault)
        return results

    def get(self, record_id: str) -> LogEntry:
        """Raises NotFoundError."""
        entry = self._store.find(record_id)
        if entry is None:
            raise NotFoundError("no log entry has this id")
        return entry

    def _arrival(self, door: str) -> Arrival:
        """What the entries of one call share; the clock is read once for all of them."""
        bound = context.current()
        if bound is None:
            return arrival(door, self._clock.now())
        return arrival(door, self._clock.now(), request_id=bound.request_id, trace_id=bound.trace_id)
