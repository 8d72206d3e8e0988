"""A door of the log store that requests which come at the same time share, and that is left alone for a while after a failure."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from broker.domain import LogOrder, Result
from broker.ports import LogDoor
from common.combining import Combiner, Limits
from common.errors import BadReplyError, DeadlineError, UnavailableError

log = logging.getLogger(__name__)

# After a failure a door is left alone for this long; when it cost somebody time, doubling from the first to the longest.
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 5.0

_DOWN = (UnavailableError, DeadlineError)


class GuardedDoor:
    """Thread-safe. With `limits`, concurrent requests share the door's calls; without, the door groups them by itself.

    A request waits for `patience` seconds at most on a door that gives no sign of life; then the door counts as down. The requests that
    wait beside it, and those that come while it rests, move on at once; one at a time tries it again.
    """

    def __init__(self, name: str, door: LogDoor, *, patience: float, limits: Limits | None = None) -> None:
        self._door = door
        self._patience = patience
        self._rest = Rest(name)
        self._combiner: Combiner[LogOrder, Result] | None = None
        if limits is not None:
            self._combiner = Combiner(self._call, what="the log store", weigh=LogOrder.weight, limits=limits)

    def start(self) -> None:
        """Call after the fork."""
        if self._combiner is not None:
            self._combiner.start()

    def stop(self) -> None:
        if self._combiner is not None:
            self._combiner.stop()

    def write(self, orders: Sequence[LogOrder]) -> Sequence[Result]:
        """As LogDoor.write_many. Raises TooManyError when too much waits already, UnavailableError at once while the door rests."""
        trying = self._rest.enter()
        try:
            if self._combiner is None:
                return self._call(list(orders))
            return self._combiner.submit(orders, silence=self._patience)
        except DeadlineError:
            self._rest.begin(slow=True)
            raise
        finally:
            if trying:
                self._rest.leave()

    def _call(self, orders: list[LogOrder]) -> Sequence[Result]:
        if self._rest.resting:  # it failed while these waited
            raise UnavailableError("the log store cannot be reached")
        try:
            results = self._door.write_many(orders)
        except (*_DOWN, BadReplyError) as error:
            self._rest.begin(slow=isinstance(error, DeadlineError))
            raise
        if all(isinstance(result, _DOWN) for result in results):
            self._rest.begin(slow=any(isinstance(result, DeadlineError) for result in results))
        else:
            self._rest.end()
        return results


class Rest:
    """Keeps requests away from a door that has failed. While it is sound this costs one look at a number."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._tried = False

    @property
    def resting(self) -> bool:
        return self._failures > 0 and time.monotonic() < self._until

    def enter(self) -> bool:
        """Whether the caller is the one that tries the door after its rest; it must `leave`. Raises UnavailableError for the others."""
        if not self._failures:
            return False
        with self._lock:
            if self._tried or time.monotonic() < self._until:
                raise UnavailableError("the log store cannot be reached")
            self._tried = True
            return True

    def leave(self) -> None:
        with self._lock:
            self._tried = False

    def begin(self, *, slow: bool) -> None:
        """The door has failed. What fails while it rests already makes the rest no longer."""
        with self._lock:
            if self.resting:
                return
            self._failures += 1
            doublings = min(self._failures - 1, 10) if slow else 0
            seconds = min(FIRST_REST_SECONDS * 2**doublings, LONGEST_REST_SECONDS)
            self._until = time.monotonic() + seconds
        log.warning("log_door_rests", extra={"door": self._name, "seconds": seconds})

    def end(self) -> None:
        """The door has answered."""
        if self._failures:
            with self._lock:
                self._failures = 0
            log.info("log_door_open", extra={"door": self._name})
