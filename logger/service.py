"""The use cases of the log store, the same behind every door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common import context
from common.clock import Clock
from common.errors import InvalidError, NotFoundError
from logger.domain import Draft, LogEntry, Recorded, accept
from logger.ports import EntryWriter, LogStore


class LogService:
    def __init__(self, store: LogStore, writer: EntryWriter, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock

    def record(self, draft: Draft, *, door: str) -> Recorded:
        """Returns when the entry is durable. Raises InvalidError, TooManyError, UnavailableError or DeadlineError."""
        (result,) = self.record_many([draft], door=door)
        if isinstance(result, InvalidError):
            raise result
        return result

    def record_many(self, drafts: Sequence[Draft], *, door: str) -> list[Recorded | InvalidError]:
        """One result for each draft, in order: an invalid one does not keep the others out.

        Raises as `record` does when the valid ones cannot be stored.
        """
        judged = [self._judge(draft, door) for draft in drafts]
        accepted = [entry for entry in judged if isinstance(entry, LogEntry)]
        fresh = iter(self._writer.write(accepted))
        return [
            Recorded(entry.id, duplicate=not next(fresh)) if isinstance(entry, LogEntry) else entry for entry in judged
        ]

    def get(self, record_id: str) -> LogEntry:
        """Raises NotFoundError."""
        entry = self._store.find(record_id)
        if entry is None:
            raise NotFoundError("no log entry has this id")
        return entry

    def _judge(self, draft: Draft, door: str) -> LogEntry | InvalidError:
        bound = context.current()
        if bound is not None:
            draft = replace(
                draft,
                request_id=draft.request_id or bound.request_id,
                trace_id=draft.trace_id or bound.trace_id,
            )
        try:
            return accept(draft, door=door, clock=self._clock)
        except InvalidError as error:
            return error
