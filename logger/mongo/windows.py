"""Looking through a long range of time in bounded steps: a window of it at a time, as wide as the database manages quickly.

    budget = Budget(2.0)
    try:
        for window, found in scan([Window(since, until)], order="newest", budget=budget, step=look):
            ...
    except SpentError as spent:
        ...  # looked at everything from `spent.border` on; None when at nothing

`step(window, max_time_ms)` asks the database about one window and lets pymongo's ExecutionTimeout through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

from pymongo.errors import ExecutionTimeout

from logger.ports import Order
from logger.query.filters import Filter

MILLISECOND = timedelta(milliseconds=1)
# The ends of time. An entry without a time counts as created at the BEGINNING; a window that ends at the END has no upper bound.
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

FIRST_WIDTH = timedelta(seconds=10)
# From here on a look at where there are entries at all costs less than a window in vain.
WIDE = 64 * FIRST_WIDTH
# The longest that one window may take. One that takes less than a quarter makes the next one wider, so few ever run out of time.
PATIENCE_MS = 300

# A question that has taken so long is one that looks through much, and a core of the database's machine is busy with each of its windows.
# From then on it takes turns with the others of its kind in this process: short questions do not wait for it, nor does writing.
FREE_SECONDS = 0.15
LONG_AT_A_TIME = 1
_turns = threading.BoundedSemaphore(LONG_AT_A_TIME)

T = TypeVar("T")


class Window(NamedTuple):
    """The entries created at `since` or later and before `until`; both aware, between BEGINNING and END."""

    since: datetime
    until: datetime

    def cut(self, other: Window) -> Window:
        """What both have in common; empty when nothing."""
        return Window(max(self.since, other.since), min(self.until, other.until))

    @property
    def empty(self) -> bool:
        return self.since >= self.until


# Where entries without a time are, beside those with the zero time of the Go original.
UNDATED = Window(BEGINNING, BEGINNING + MILLISECOND)


class Candidates(Protocol):
    """What an index over words knows."""

    def __call__(self, wanted: Filter, *, order: Order, budget: Budget) -> Iterator[Window] | None:
        """Windows in the given order that do not overlap, outside of which no entry matches; None when nothing is known.

        They may reach beyond `wanted.since` and `wanted.until`. May let SpentError and pymongo's errors through.
        """


class SpentError(Exception):
    """The time is spent. Everything has been looked at from the end where the scan began up to `border`; None: nothing."""

    def __init__(self, border: datetime | None = None) -> None:
        super().__init__()
        self.border = border


class Budget:
    """The time for one question, in seconds, running from now on."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._began = clock()
        self._end = self._began + seconds

    def left_ms(self, at_most: int | None = None) -> int:
        """For max_time_ms. Raises SpentError when nothing is left."""
        left = int((self._end - self.clock()) * 1000)
        if left <= 0:
            raise SpentError
        return left if at_most is None else min(left, at_most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around one window. Waits for other long questions when this is one. Raises SpentError when the time is over before its turn."""
        if self.clock() - self._began < FREE_SECONDS:
            yield
            return
        if not _turns.acquire(timeout=self.left_ms() / 1000):
            raise SpentError
        try:
            yield
        finally:
            _turns.release()


def whole(wanted: Filter) -> Window:
    """The range of a filter, in the whole milliseconds that MongoDB keeps; the same entries are in it."""
    since = BEGINNING if wanted.since is None else rounded_up(wanted.since)
    until = END if wanted.until is None else rounded_up(wanted.until)
    return Window(since, until)


def scan(
    ranges: Iterable[Window],
    *,
    order: Order,
    budget: Budget,
    step: Callable[[Window, int], T],
    tighten: Callable[[Window], Window | None] = lambda window: window,
) -> Iterator[tuple[Window, T]]:
    """Each window of the ranges with what `step` found in it, from the newest or the oldest end on.

    The ranges are in order, do not overlap, and end where there are entries rather than at the END (`extent` in asking.py). A window is
    twice as wide as the last when that was answered quickly, and tried again a quarter as wide when it was not answered in time.
    `tighten` gives the part of a window from its first to its last entry, None when it has none. Raises SpentError when the time is spent, or when one millisecond takes more than is left of it.
    """
    width, border = FIRST_WIDTH, None
    source = iter(ranges)
    while True:
        try:
            rest = next(source, None)
            if rest is None:
                return
            # between two ranges there is nothing to look at
            border = rest.until if order == "newest" else rest.since
            while not rest.empty:
                if width >= WIDE:
                    rest, width = _tightened(rest, tighten(rest), width, order)
                    if rest.empty:
                        break
                window = _first_part(rest, width, order)
                found, took = _measured(step, window, budget)
                if found is None:
                    width = max(_width(window) / 4, MILLISECOND)
                    continue
                yield window, found[0]
                rest = _without(rest, window, order)
                border = window.since if order == "newest" else window.until
                if took < PATIENCE_MS / 4000 and _width(window) >= width:
                    width *= 2
        except (SpentError, ExecutionTimeout):  # the latter from where the ranges come from
            raise SpentError(border) from None


def _measured(step: Callable[[Window, int], T], window: Window, budget: Budget) -> tuple[tuple[T] | None, float]:
    """The answer, None when it took too long, and the seconds it took."""
    narrowest = _width(window) <= MILLISECOND
    with budget.turn():
        patience = budget.left_ms() if narrowest else budget.left_ms(PATIENCE_MS)
        began = budget.clock()
        try:
            found = step(window, patience)
        except ExecutionTimeout:
            if narrowest:
                raise SpentError from None
            return None, 0.0
        return (found,), budget.clock() - began


def _tightened(rest: Window, tight: Window | None, width: timedelta, order: Order) -> tuple[Window, timedelta]:
    """What is left to look at, and how wide the next window is: narrow again behind a gap, since nothing is known of what is there.

    Where nothing is for long, because one entry has a time in the far future, windows grow so wide that they would take too long as soon
    as there is something again.
    """
    if tight is None:
        return Window(rest.since, rest.since), width
    gap = rest.until - tight.until if order == "newest" else tight.since - rest.since
    return tight, FIRST_WIDTH if gap > width else width


def _first_part(rest: Window, width: timedelta, order: Order) -> Window:
    if _width(rest) <= width:
        return rest
    # whole milliseconds: the database knows no others
    width = timedelta(milliseconds=max(1, width // MILLISECOND))
    if order == "oldest":
        return Window(rest.since, rest.since + width)
    since = rest.until - width
    return Window(since - timedelta(microseconds=since.microsecond % 1000), rest.until)


def _without(rest: Window, window: Window, order: Order) -> Window:
    return Window(rest.since, window.since) if order == "newest" else Window(window.until, rest.until)


def _width(window: Window) -> timedelta:
    return window.until - window.since


def rounded_up(moment: datetime) -> datetime:
    """The first whole millisecond that is not before `moment`; MongoDB keeps no finer ones."""
    finer = moment.microsecond % 1000
    return just_after(moment - timedelta(microseconds=finer)) if finer else moment


def just_after(moment: datetime) -> datetime:
    """The next whole millisecond."""
    return END if moment >= END - MILLISECOND else moment + MILLISECOND
