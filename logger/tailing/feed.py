"""One reading of what is stored for all readers of a process, and for each a queue that is bounded in number, size and age."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import NamedTuple

from common.errors import MalformedError, UnavailableError
from logger.query.filters import Filter
from logger.tailing.changes import Batch, Change, ChangeLog, GoneError
from logger.tailing.places import Live, Past

log = logging.getLogger(__name__)

# A reader that is further behind loses what it is behind, and is told how much.
MAX_BEHIND_SECONDS = 10.0
MAX_BEHIND_ENTRIES = 5_000
MAX_BEHIND_BYTES = 4 * 1024 * 1024
# Handed to a reader in one go.
_TAKE_ENTRIES = 500
_TAKE_BYTES = 256 * 1024

# The store answers as soon as something comes; without a rest in between that would be an answer for every entry.
_REST_SECONDS = 0.02
_WAIT_SECONDS = 1.0
_AGAIN_SECONDS = 0.5


class Skipped(NamedTuple):
    """Entries that a queue did not keep, created at `first` to `last`, stored from `begin` to `end`."""

    number: int
    first: datetime
    last: datetime
    begin: Live
    end: Live


class Taken(NamedTuple):
    """`skipped` came before `changes`. `place`: as far as the reader has got with that."""

    skipped: Skipped | None
    changes: list[Change]
    place: Live


class Subscription:
    """One reader's queue. The feed offers, the reader takes."""

    def __init__(self, wanted: Filter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._wanted = wanted
        self._clock = clock
        self._ready = threading.Condition()
        self._queue: deque[tuple[float, Change]] = deque()
        self._bytes = 0
        self._skipped: Skipped | None = None
        self._place: Live | None = None
        # everything after this place is offered; None: not yet
        self.start: Live | None = None
        # nothing is offered any more, and something may be lacking
        self.cut = False

    def begin(self, place: Live) -> None:
        self._place = self.start = place

    def offer(self, batch: Batch) -> None:
        matching = [change for change in batch.changes if self._wanted.matches(change.entry)]
        with self._ready:
            now = self._clock()
            for change in matching:
                self._queue.append((now, change))
                self._bytes += change.size
            self._place = batch.place
            if self._queue and (
                len(self._queue) > MAX_BEHIND_ENTRIES
                or self._bytes > MAX_BEHIND_BYTES
                or now - self._queue[0][0] > MAX_BEHIND_SECONDS
            ):
                self._skip()
            if matching:
                self._ready.notify()

    def _skip(self) -> None:
        times = [change.entry.created_at for _, change in self._queue]
        number = len(times)
        begin, end = _live(self._queue[0][1].place), _live(self._queue[-1][1].place)
        if self._skipped is not None:
            times += (self._skipped.first, self._skipped.last)
            number += self._skipped.number
            begin = self._skipped.begin
        self._skipped = Skipped(number, min(times), max(times), begin, end)
        self._queue.clear()
        self._bytes = 0

    def end(self) -> None:
        with self._ready:
            self.cut = True
            self._ready.notify()

    def take(self, wait: float) -> Taken:
        """What there is, waiting for it `wait` seconds at most. Only after `start` is set."""
        with self._ready:
            if not self._queue and self._skipped is None and not self.cut:
                self._ready.wait(wait)
            skipped, self._skipped = self._skipped, None
            changes: list[Change] = []
            size = 0
            while self._queue and len(changes) < _TAKE_ENTRIES and size < _TAKE_BYTES:
                _, change = self._queue.popleft()
                changes.append(change)
                size += change.size
            self._bytes -= size
            return Taken(skipped, changes, _live(changes[-1].place if self._queue else self._place))


def _live(place: Live | Past | None) -> Live:
    if not isinstance(place, Live):
        raise TypeError("a queue holds what is live")
    return place


class Feed:
    """Reads while there are subscriptions; without any it costs nothing."""

    def __init__(self, changes: ChangeLog) -> None:
        self._log = changes
        self._lock = threading.Lock()
        self._joining: list[Subscription] = []
        self._joined: list[Subscription] = []
        self._running = False
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def join(self, wanted: Filter) -> Subscription:
        """`start` of the subscription is set as soon as it takes part."""
        subscription = Subscription(wanted)
        with self._lock:
            self._joining.append(subscription)
            if not self._running and not self._stopping.is_set():
                self._running = True
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        with self._lock:
            for members in (self._joining, self._joined):
                if subscription in members:
                    members.remove(subscription)

    def stop(self) -> None:
        """Waits for the end of what is being read, so that nothing stays open in the store."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2 * _WAIT_SECONDS)

    def __len__(self) -> int:
        return len(self._joining) + len(self._joined)

    def _run(self) -> None:
        place: Live | None = None
        while self._goes_on():
            try:
                for batch in self._batches(place):
                    place = batch.place
                    for subscription in self._members():
                        subscription.offer(batch)
                    self._admit(place)
            except UnavailableError:
                self._stopping.wait(_AGAIN_SECONDS)
            except (GoneError, MalformedError):
                self._lose(place)
                place = None
            except Exception:
                # a reader that waits for a dead thread would wait for ever
                log.exception("tail_feed_failed")
                self._lose(place)
                place = None
                self._stopping.wait(_AGAIN_SECONDS)

    def _batches(self, place: Live | None) -> Iterator[Batch]:
        """From the place on, until nobody is left."""
        with closing(self._log.follow(place)) as stream:
            while self._is_wanted:
                batch = stream.read(_WAIT_SECONDS)
                yield batch
                if batch.changes and not batch.more:
                    self._stopping.wait(_REST_SECONDS)

    @property
    def _is_wanted(self) -> bool:
        return not self._stopping.is_set() and len(self) > 0

    def _goes_on(self) -> bool:
        """When not, the thread has nothing more to do: only then may whoever joins start another, or two would offer the same."""
        with self._lock:
            self._running = self._is_wanted
            return self._running

    def _lose(self, place: Live | None) -> None:
        """What happened since cannot be read by anybody in order: each reader finds out for itself how much that is."""
        log.warning("tail_lost_its_place", extra={"since": place.time.isoformat() if place else None})
        with self._lock:
            members, self._joined = self._joined, []
        for subscription in members:
            subscription.end()

    def _members(self) -> Sequence[Subscription]:
        with self._lock:
            return list(self._joined)

    def _admit(self, place: Live) -> None:
        with self._lock:
            new, self._joining = self._joining, []
            self._joined += new
            for subscription in new:
                subscription.begin(place)
