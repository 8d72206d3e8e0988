"""The keeper: does in the background, and out of the way of writers, what the log store needs done again and again. Knows no database.

What it does are chores; each runs in a thread of its own, one step at a time over all of them, in one process at a time over all keepers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from common.background import BackgroundWork, Rhythm

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 15.0
# From so many entries a second on the store counts as busy. The keeper then rests nine times as long as it computed, and at least twice as
# long as it took, during which it may have kept the database at work.
BUSY_RATE = 200.0
BUSY_REST = 9.0
BUSY_PAUSE = 2.0
# A step that took long for once, or had to wait for others, is no reason to do nothing for a minute.
LONGEST_REST_SECONDS = 2.0
SAMPLE_SECONDS = 1.0


class Chore(Protocol):
    """What the keeper does again and again. `name` is what the log lines call it; `look` are the seconds from the end of its work until
    it is asked again whether there is some.
    """

    name: str
    look: float

    def step(self) -> bool:
        """Does a small part of the work, for half a second at most, and returns whether more is left.

        May raise: it is then called again after a pause. Another keeper's step may run at the same time when this process was held up
        for longer than its lease, so a step must leave things right whatever another does.
        """


class Lease(Protocol):
    """Says who the one keeper is."""

    def held(self) -> bool:
        """Whether this process is the keeper now; takes or renews the lease where it can. May raise."""

    def give_up(self) -> None:
        """Lets another keeper begin at once."""


class Pace:
    """How fast the keeper may go: at full speed while few entries come in, else with a tenth of a core."""

    def __init__(self, stored: Callable[[], int], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`stored`: how many entries there are, roughly and cheaply."""
        self._stored = stored
        self._clock = clock
        self._sample: tuple[float, int] | None = None
        self._busy = False

    def rest(self, computed: float, took: float) -> float:
        """The seconds to rest after work that took so many seconds, of which it computed for `computed`."""
        now = self._clock()
        if self._sample is None or now - self._sample[0] >= SAMPLE_SECONDS:
            count = self._stored()
            if self._sample is not None:
                then, before = self._sample
                self._busy = abs(count - before) / (now - then) >= BUSY_RATE
            self._sample = now, count
        return min(max(computed * BUSY_REST, took * BUSY_PAUSE), LONGEST_REST_SECONDS) if self._busy else 0.0


class _Turns:
    """A lock that goes to who has waited longest: a plain one would stay with the chore that always has more to do."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given = 0
        self._served = 0

    def __enter__(self) -> None:
        with self._changed:
            mine = self._given
            self._given += 1
            self._changed.wait_for(lambda: self._served == mine)

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._served += 1
            self._changed.notify_all()


class Keeper:
    def __init__(self, chores: Sequence[Chore], *, lease: Lease, pace: Pace) -> None:
        self._lease = lease
        self._pace = pace
        self._turn = _Turns()
        self._stopping = threading.Event()
        self._works = [
            BackgroundWork(
                chore.name,
                partial(self._round, chore),
                Rhythm(look=chore.look, longest_pause=LONGEST_PAUSE_SECONDS),
            )
            for chore in chores
        ]

    def start(self) -> None:
        for work in self._works:
            work.start()

    def stop(self) -> None:
        """Waits for the step that is under way. Raises what giving up the lease raises."""
        self._stopping.set()
        for work in self._works:
            work.stop()
        self._lease.give_up()

    def _round(self, chore: Chore) -> bool:
        with self._turn:
            if self._stopping.is_set() or not self._lease.held():
                return False
            began, computed = time.monotonic(), time.thread_time()
            more = chore.step()
            rest = self._pace.rest(time.thread_time() - computed, time.monotonic() - began)
            # the rest is taken with the turn in hand, or the other chores would use it up
            self._stopping.wait(rest)
        return more
