"""Trying again while the other side is away, and knowing when that is of no use."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from common.errors import AppError, InvalidError, Kind

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# A fault of unknown cause is tried a few times, since some pass; then it counts as the fault of what was sent.
TRIES_AFTER_FAULT = 5

# The far side is not there or has no room: nothing that one message could be to blame for.
_OUTAGE = {Kind.UNAVAILABLE, Kind.TIMEOUT, Kind.TOO_MANY}

T = TypeVar("T")


class RefusedError(Exception):
    """The input breaks a rule: the same attempt would fail the same way for ever."""


class FaultError(Exception):
    """The attempt failed again and again for a reason of its own, which may or may not pass."""


class OutageError(Exception):
    """The far side was away for longer than the work can be held."""


def _never() -> float:
    return float("inf")


class Patience:
    """One thread's way of trying. `sign` is called around each attempt, so that a watcher can tell waiting from hanging."""

    def __init__(
        self, what: str, *, sign: Callable[[], object] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._sign = sign
        self._clock = clock
        # Why the last attempt found nobody; empty when it did. Read by other threads.
        self.outage = ""

    def insist(
        self,
        action: Callable[[], T],
        *,
        until: threading.Event,
        give_up_at: Callable[[], float] = _never,
        tries: int = TRIES_AFTER_FAULT,
    ) -> T | None:
        """The result of `action`, tried again with growing, jittered pauses while the far side cannot take it.

        None when `until` is set before an attempt has succeeded. There is one attempt at least, except during a known outage after
        `give_up_at`, in the seconds of the clock. Raises RefusedError, FaultError after `tries` other failures, and OutageError.
        """
        pause = FIRST_PAUSE
        faults = 0
        if self.outage and self._clock() >= give_up_at():
            raise OutageError(self.outage)
        while True:
            failure = self._attempt(action)
            if not isinstance(failure, Exception):
                return failure[0]
            if isinstance(failure, InvalidError):
                raise RefusedError(failure.message) from failure
            if not self.outage:
                faults += 1
                if faults >= tries:
                    raise FaultError(_told(failure)) from failure
            elif self._clock() >= give_up_at():
                raise OutageError(self.outage) from failure
            if until.wait(random.uniform(pause / 2, pause)):  # noqa: S311 - spreads retries, guards nothing
                self.outage = ""
                return None
            pause = min(pause * 2, LONGEST_PAUSE)

    def _attempt(self, action: Callable[[], T]) -> tuple[T] | Exception:
        self._sign()
        outage = ""
        try:
            return (action(),)
        except AppError as error:
            if error.kind in _OUTAGE:
                outage = error.message
            log.warning("attempt_failed", extra={"what": self._what, "reason": error.message})
            return error
        except Exception as error:
            log.exception("attempt_crashed", extra={"what": self._what})
            return error
        finally:
            self.outage = outage
            self._sign()


def _told(failure: Exception) -> str:
    return failure.message if isinstance(failure, AppError) else f"could not be handled: {type(failure).__name__}"
