"""Group commit: entries that arrive at the same time, through whatever door, are stored by one durable insert.

A journaled insert costs a few milliseconds whether it carries one entry or a thousand. Each caller therefore waits for the batch that
its entries are in; a batch is whatever has arrived while the previous ones were being written, so an idle store answers at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.errors import AppError, DeadlineError, TooManyError, UnavailableError
from logger.domain import LogEntry
from logger.ports import LogStore

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    entries: Sequence[LogEntry]
    deadline: float
    done: threading.Event = field(default_factory=threading.Event)
    stored: list[bool] = field(default_factory=list)
    error: AppError | None = None


class LogWriter:
    """Thread-safe. Memory is bounded by `max_pending` entries, or one larger call; `timeout` is the time in seconds that a caller waits."""

    def __init__(
        self,
        store: LogStore,
        *,
        writers: int = 2,
        max_batch: int = 1_000,
        max_pending: int = 20_000,
        timeout: float = 10.0,
    ) -> None:
        self._store = store
        self._writers = writers
        self._max_batch = max_batch
        self._max_pending = max_pending
        self._timeout = timeout
        self._jobs: deque[_Job] = deque()
        self._pending = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Call after the fork."""
        for number in range(self._writers):
            thread = threading.Thread(target=self._run, name=f"log-writer-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Refuses new entries, then writes what has been taken."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(self._timeout)

    def write(self, entries: Sequence[LogEntry]) -> list[bool]:
        """Returns when all entries are durable; False where the id was in the store before.

        Raises TooManyError (nothing taken), UnavailableError, or DeadlineError (unknown whether stored; the same ids may be sent again).
        """
        if not entries:
            return []
        job = _Job(entries, time.monotonic() + self._timeout)
        with self._wake:
            if self._stopping or not self._threads:
                raise UnavailableError("the log store is stopping")
            if self._pending + len(entries) > self._max_pending and self._pending:
                raise TooManyError("the log store has no room now")
            self._jobs.append(job)
            self._pending += len(entries)
            self._wake.notify()
        if not job.done.wait(self._timeout):
            raise DeadlineError("the log store did not confirm in time")
        if job.error is not None:
            raise job.error
        return job.stored

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            self._commit(batch)

    def _take(self) -> list[_Job] | None:
        """Waits for work; None when stopping and nothing is left."""
        with self._wake:
            while not self._jobs:
                if self._stopping:
                    return None
                self._wake.wait()
            batch = [self._jobs.popleft()]
            size = len(batch[0].entries)
            while self._jobs and size + len(self._jobs[0].entries) <= self._max_batch:
                size += len(self._jobs[0].entries)
                batch.append(self._jobs.popleft())
            return batch

    def _commit(self, batch: list[_Job]) -> None:
        now = time.monotonic()
        live = [job for job in batch if job.deadline > now]
        try:
            if live:
                self._insert(live)
        except AppError as error:
            for job in live:
                job.error = error
        except Exception:
            log.exception("log_batch_failed", extra={"entries": sum(len(job.entries) for job in live)})
            for job in live:
                job.error = UnavailableError("the log store could not write the entry")
        finally:
            with self._wake:
                self._pending -= sum(len(job.entries) for job in batch)
            for job in batch:
                job.done.set()

    def _insert(self, jobs: list[_Job]) -> None:
        stored = iter(self._store.insert([entry for job in jobs for entry in job.entries]))
        for job in jobs:
            job.stored = [next(stored) for _ in job.entries]
