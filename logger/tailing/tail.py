"""The live tail: what was there, then what is stored from then on, each entry once, in the order in which it was stored.

The history is read as the store was at one moment, and a change stream of the reader's own starts right behind that moment, or behind the place
where a reader says it broke off. As soon as that stream has come as far as the feed that all readers share, the feed takes over: places
are in order, so nothing is lacking and nothing comes twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from common.clock import Clock
from common.errors import MalformedError, TooManyError, UnavailableError
from logger.query.filters import Filter
from logger.tailing.changes import Change, ChangeLog, ChangeStream, GoneError, History
from logger.tailing.feed import Feed, Skipped, Subscription
from logger.tailing.places import Live, Past, Place, opened

MILLISECOND = timedelta(milliseconds=1)
_LATEST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
# What is stored at a time was created so much earlier at most, but for what somebody delivers late: clocks differ, and entries are gathered.
LATE = timedelta(seconds=30)
RETRY_SECONDS = 5
# Nobody waits longer than this without a signal.
_WAIT_SECONDS = 1.0
_BRIEF_SECONDS = 0.1


class Entries(NamedTuple):
    changes: Sequence[Change]


class Missed(NamedTuple):
    """Entries that are not given here: `number` of them (None: unknown), created from `since` until before `until`.

    Where the number is unknown some of them may have been given, and what was delivered late may lie outside of these times.

    `place`: behind them; None when the history follows once more.
    """

    number: int | None
    since: datetime
    until: datetime
    place: Live | None = None


class Caught(NamedTuple):
    """From here on entries come as they are stored. Not `complete`: the time for looking back was over before the history was whole."""

    place: Live
    complete: bool


class Idle(NamedTuple):
    """Nothing came. A reader that goes on from `place` misses nothing; None: it has not got anywhere yet."""

    place: Live | None


Signal = Entries | Missed | Caught | Idle


class _Means(NamedTuple):
    """What all readers of a process share."""

    log: ChangeLog
    feed: Feed
    clock: Clock
    room: threading.Semaphore


class Tail:
    def __init__(self, changes: ChangeLog, feed: Feed, clock: Clock, *, streams: int) -> None:
        """`streams`: how many may be open in this process."""
        self._means = _Means(changes, feed, clock, threading.BoundedSemaphore(streams))

    def open(self, wanted: Filter, *, history: int, last_id: str = "") -> Reading:
        """`last_id`: of the last event that the reader got; then there is no history, unless it was in the middle of it. Close it.

        Raises MalformedError for an id that never was one, TooManyError, or UnavailableError.
        """
        place = opened(last_id) if last_id else None
        if not self._means.room.acquire(blocking=False):
            raise TooManyError("too many readers follow the log store now", retry_after=RETRY_SECONDS)
        reading = Reading(self._means, wanted, history, place)
        try:
            reading.begin()
        except BaseException:
            reading.close()
            raise
        return reading


class Reading:
    """One reader's signals, at least one a second. For one thread; `close` lets go of all that it holds."""

    def __init__(self, means: _Means, wanted: Filter, history: int, place: Place | None) -> None:
        self._log, self._feed, self._clock, self._room = means
        self._wanted = wanted
        self._limit = history
        # as far as the reader has got
        self._place = place
        self._lost: Missed | None = None
        self._caught = False
        self._complete = True
        self._history: History | None = None
        self._own: ChangeStream | None = None
        self._subscription: Subscription | None = None
        self._closed = threading.Event()

    def begin(self) -> None:
        """Raises what makes it impossible, before anything is sent."""
        try:
            self._find_place()
        except GoneError:
            self._lose_place()
            self._find_place()

    def __iter__(self) -> Iterator[Signal]:
        while not self._closed.is_set():
            try:
                if self._lost is not None:
                    lost, self._lost = self._lost, None
                    yield lost
                self._find_place()
                yield from self._past()
                yield from self._catch_up()
                yield from self._live()
            except (GoneError, MalformedError):
                self._lose_place()
            except UnavailableError:
                self._let_go()
                yield Idle(self._place if isinstance(self._place, Live) else None)
                self._closed.wait(_WAIT_SECONDS)

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._let_go()
            self._room.release()

    def _find_place(self) -> None:
        """Opens the history or the reader's own stream, whichever comes next."""
        if self._history is not None or self._own is not None:
            return
        if isinstance(self._place, Past) or (self._place is None and self._limit):
            past = self._place if isinstance(self._place, Past) else None
            self._history = self._log.history(self._wanted, limit=self._limit, resumed=past)
        else:
            self._own = self._log.follow(self._place)

    def _lose_place(self) -> None:
        """What the reader broke off at is gone: it is told so, and begins anew."""
        self._let_go()
        now = self._clock.now()
        # a place knows when something was stored, the question is about when it was created
        since = min(self._place.time, now) - LATE if self._place is not None else now
        self._place = None
        self._caught = False
        self._lost = Missed(None, since, now)

    def _let_go(self) -> None:
        if self._history is not None:
            self._history.close()
        if self._own is not None:
            self._own.close()
        if self._subscription is not None:
            self._feed.leave(self._subscription)
        self._history = self._own = self._subscription = None

    def _past(self) -> Iterator[Signal]:
        history = self._history
        if history is None:
            return
        self._complete = history.complete
        for changes in history:
            self._place = changes[-1].place
            yield Entries(changes)
        history.close()
        self._own = self._log.follow(history.moment)
        self._history = None

    def _catch_up(self) -> Iterator[Signal]:
        """From the reader's place to that of the feed."""
        own = self._own
        if own is None:
            return
        while True:
            batch = own.read(_BRIEF_SECONDS)
            self._place = batch.place
            matching = [change for change in batch.changes if self._wanted.matches(change.entry)]
            yield Entries(matching) if matching else Idle(batch.place)
            joined = self._subscription
            if joined is not None and joined.start is not None and joined.start.token <= batch.place.token:
                break
            if joined is None and not batch.more:
                self._subscription = self._feed.join(self._wanted)
        own.close()
        self._own = None
        if not self._caught:
            self._caught = True
            yield Caught(batch.place, self._complete)

    def _live(self) -> Iterator[Signal]:
        joined = self._subscription
        if joined is None:
            return
        while True:
            taken = joined.take(_WAIT_SECONDS)
            if joined.cut:
                # what the queue still holds is read again from the reader's place
                self._let_go()
                return
            # the reader's own stream may have come further than the feed was
            came = self._place.token if isinstance(self._place, Live) else ""
            if taken.skipped is not None and taken.skipped.end.token > came:
                yield _missed(taken.skipped, came)
            changes = [change for change in taken.changes if _token(change) > came]
            if taken.place.token > came:
                self._place = taken.place
            yield Entries(changes) if changes else Idle(self._place if isinstance(self._place, Live) else None)


def _token(change: Change) -> str:
    return change.place.token if isinstance(change.place, Live) else ""


def _missed(skipped: Skipped, came: str) -> Missed:
    """Some of them may have been given already, by the reader's own stream: then nobody knows how many are lacking."""
    number = skipped.number if skipped.begin.token > came else None
    until = min(skipped.last, _LATEST - MILLISECOND) + MILLISECOND
    return Missed(number, skipped.first, until, skipped.end)
