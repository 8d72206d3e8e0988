"""Group commit: what arrives at the same time is carried out by one action, and each caller waits for the one its items are in.

A durable insert, an fsync or a call to another service costs about the same whether it carries one item or a thousand. A batch is
whatever has arrived while the ones before it were under way, so an idle system answers at once and a busy one grows its batches.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from common.errors import AppError, DeadlineError, TooManyError, UnavailableError

log = logging.getLogger(__name__)

MIB = 1024 * 1024
# What an item takes beside its own text, whatever it is: objects, a place in a list, somebody who waits.
ITEM_OVERHEAD = 1024

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Limits:
    """`lanes` actions run at the same time, each with `max_batch` items or `max_batch_bytes` at most, or one larger call.

    Memory is bounded by `max_pending_bytes`, or one larger call. `timeout` is the time in seconds that a caller waits. After a batch of
    several calls a lane waits for `linger` seconds, so that the next one is larger: for actions that cost much by themselves.
    """

    lanes: int = 2
    max_batch: int = 1_000
    max_batch_bytes: int = 8 * MIB
    max_pending_bytes: int = 128 * MIB
    timeout: float = 10.0
    linger: float = 0.0


class _Job(Generic[T, R]):
    __slots__ = ("deadline", "error", "items", "latch", "results", "weight")

    def __init__(self, items: Sequence[T], weight: int, deadline: float) -> None:
        self.items = items
        self.weight = weight
        self.deadline = deadline
        self.results: Sequence[R] = ()
        self.error: AppError | None = None
        # a lock that is taken is the cheapest thing to wait for; an Event is made of several
        self.latch = threading.Lock()
        self.latch.acquire()


class Combiner(Generic[T, R]):
    """Thread-safe. `action` gets items in the order they came and returns one result for each; `what` names it in errors.

    `weigh` gives an item's own bytes, about.
    """

    def __init__(
        self,
        action: Callable[[list[T]], Sequence[R]],
        *,
        what: str,
        weigh: Callable[[T], int],
        limits: Limits | None = None,
    ) -> None:
        self._action = action
        self._weigh = weigh
        self._what = what
        self._limits = limits or Limits()
        self._jobs: deque[_Job[T, R]] = deque()
        self._pending = 0
        self._pending_bytes = 0
        self._wake = threading.Condition(threading.Lock())
        self._stopping = False
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        # when an action last came to its end, well or not
        self._heard = 0.0

    def start(self) -> None:
        """Call after the fork."""
        for number in range(self._limits.lanes):
            thread = threading.Thread(target=self._run, name=f"combine-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Refuses new items, then carries out what has been taken."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._ending.set()
        for thread in self._threads:
            thread.join(self._limits.timeout)

    @property
    def pending(self) -> int:
        """Items that wait or are under way."""
        return self._pending

    def submit(self, items: Sequence[T], *, silence: float | None = None) -> Sequence[R]:
        """Returns when all items are carried out.

        The caller waits for `timeout` seconds at most, and gives up earlier when for `silence` seconds no action came to an end.
        Raises TooManyError (nothing taken), UnavailableError, DeadlineError (unknown whether carried out), or what the action raised.
        """
        if not items:
            return []
        weight = sum(map(self._weigh, items)) + ITEM_OVERHEAD * len(items)
        job: _Job[T, R] = _Job(items, weight, time.monotonic() + self._limits.timeout)
        with self._wake:
            if self._stopping or not self._threads:
                raise UnavailableError(f"{self._what} is stopping")
            if self._pending_bytes + weight > self._limits.max_pending_bytes and self._pending:
                raise TooManyError(f"{self._what} has no room now")
            self._jobs.append(job)
            self._pending += len(items)
            self._pending_bytes += weight
            self._wake.notify()
        if not self._wait(job, self._limits.timeout if silence is None else silence):
            job.deadline = 0.0  # nobody waits for it: if it is not under way yet, it need not be
            raise DeadlineError(f"{self._what} did not confirm in time")
        if job.error is not None:
            raise job.error
        return job.results

    def _wait(self, job: _Job[T, R], silence: float) -> bool:
        """Whether the job was carried out in time."""
        begun = now = time.monotonic()
        while (left := min(max(begun, self._heard) + silence, job.deadline) - now) > 0:
            if job.latch.acquire(timeout=left):
                return True
            now = time.monotonic()
        return False

    def _run(self) -> None:
        crowded = False
        while True:
            if crowded and self._limits.linger:
                self._ending.wait(self._limits.linger)
            batch = self._take()
            if batch is None:
                return
            crowded = len(batch) > 1
            self._carry_out(batch)

    def _take(self) -> list[_Job[T, R]] | None:
        """Waits for work; None when stopping and nothing is left."""
        with self._wake:
            while not self._jobs:
                if self._stopping:
                    return None
                self._wake.wait()
            batch = [self._jobs.popleft()]
            size, weight = len(batch[0].items), batch[0].weight
            while self._jobs:
                size += len(self._jobs[0].items)
                weight += self._jobs[0].weight
                if size > self._limits.max_batch or weight > self._limits.max_batch_bytes:
                    break
                batch.append(self._jobs.popleft())
            return batch

    def _carry_out(self, batch: list[_Job[T, R]]) -> None:
        now = time.monotonic()
        live = [job for job in batch if job.deadline > now]
        for job in batch:
            if job.deadline <= now:  # its caller may be about to give up, and not have done so yet
                job.error = DeadlineError(f"{self._what} did not confirm in time")
        try:
            if live:
                self._act(live)
        except AppError as error:
            for job in live:
                job.error = error
        except Exception:
            log.exception("batch_failed", extra={"items": sum(len(job.items) for job in live)})
            for job in live:
                job.error = UnavailableError(f"{self._what} could not take the batch")
        finally:
            self._heard = time.monotonic()
            with self._wake:
                self._pending -= sum(len(job.items) for job in batch)
                self._pending_bytes -= sum(job.weight for job in batch)
            for job in batch:
                job.latch.release()

    def _act(self, jobs: list[_Job[T, R]]) -> None:
        results = self._action([item for job in jobs for item in job.items])
        start = 0
        for job in jobs:
            job.results = results[start : start + len(job.items)]
            start += len(job.items)
