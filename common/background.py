"""Work that a thread of its own does again and again: as soon as it is told that there is some, and now and then without being told."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from common.errors import AppError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Times in seconds. `look`: how long nobody need tell it anything before it looks by itself; `first_pause` to `longest_pause`: how long
    it rests after a failure; `stop`: what a round under way gets at the stop.
    """

    look: float
    longest_pause: float
    first_pause: float = 0.5
    stop: float = 6.0

    def pause(self, failures: int) -> float:
        """After so many failures in a row: doubling up to a cap, with jitter against marching in step."""
        longest: float = min(self.longest_pause, self.first_pause * 2 ** min(failures - 1, 10))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


class BackgroundWork:
    """A thread that calls `work`, which does one round and returns whether the next should follow at once.

    A round that raises is tried again after a pause, longer each time, for ever; that it is late is logged once, with the traceback
    unless it raised an AppError, and once that it goes on.
    """

    def __init__(self, name: str, work: Callable[[], bool], rhythm: Rhythm) -> None:
        """`name` is what the thread is called, and the log lines say."""
        self._name = name
        self._work = work
        self._rhythm = rhythm
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = 0

    @property
    def stopping(self) -> bool:
        """For work that takes long: whether it should come to an end."""
        return self._stopping.is_set()

    @property
    def failures(self) -> int:
        """How many rounds in a row have failed by now."""
        return self._failures

    def start(self) -> None:
        """Call after the fork."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits for the round that is under way, unless that takes too long; a pause ends at once."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(self._rhythm.stop)

    def notify(self) -> None:
        """Say that there is something to do. Costs nearly nothing; does not shorten the pause after a failure."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                more = self._work()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a disk or a driver raises
                self._rest(error)
                continue
            self._note_success()
            if not more:
                self._wake.wait(self._rhythm.look)

    def _rest(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            expected = isinstance(error, AppError)
            reason = error.message if isinstance(error, AppError) else type(error).__name__
            extra = {"work": self._name, "reason": reason}
            log.warning("work_delayed", extra=extra, exc_info=None if expected else error)
        self._stopping.wait(self._rhythm.pause(self._failures))

    def _note_success(self) -> None:
        if self._failures:
            log.info("work_resumed", extra={"work": self._name, "failures": self._failures})
            self._failures = 0
