"""One thread that does jobs one after the other, and that can be given up when one of them never ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

Job = Callable[[], object]


class Lane:
    """The thread is a daemon: one that hangs keeps neither its successor nor the end of the process waiting.

    `sign`, called by a job, says that it is still at work.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._open = False
        self._sign_at: float | None = None

    def start(self) -> None:
        """Call in the process that does the work: threads do not survive a fork."""
        self._jobs = SimpleQueue()
        self._sign_at = None
        self._open = True
        threading.Thread(target=self._run, args=(self._jobs,), name=self._name, daemon=True).start()

    def stop(self) -> None:
        """The thread ends after the jobs that it has."""
        self._open = False
        self._jobs.put(None)

    def renew(self) -> None:
        """Another thread with no jobs; the old one ends if it ever comes back."""
        log.error("thread_given_up", extra={"thread_name": self._name, "seconds": round(self.silent_for())})
        self.stop()
        self.start()

    def submit(self, job: Job) -> None:
        if not self._open:
            raise RuntimeError("the intake has not been started")
        self._jobs.put(job)

    def sign(self) -> None:
        if self._sign_at is not None:
            self._sign_at = self._clock()

    def silent_for(self) -> float:
        """Seconds since the job in work began or gave a sign; 0.0 when there is none."""
        sign_at = self._sign_at
        return 0.0 if sign_at is None else self._clock() - sign_at

    def _run(self, jobs: SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            if jobs is self._jobs:
                self._sign_at = self._clock()
            try:
                job()
            except Exception:
                log.exception("job_failed", extra={"thread_name": self._name})
            if jobs is self._jobs:
                self._sign_at = None
