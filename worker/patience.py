"""Trying again while the other side is away, and knowing when that is of no use."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from common.errors import AppError, InvalidError

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# A fault in our own code is tried a few times, since some pass; then it counts as the fault of the message.
TRIES_AFTER_BUG = 5

T = TypeVar("T")


class HopelessError(Exception):
    """The same attempt would fail the same way for ever."""


def insist(action: Callable[[], T], *, until: threading.Event, what: str) -> T | None:
    """The result of `action`, tried again with growing, jittered pauses as long as the far side cannot take it.

    The limit is `until`: None when it is set before an attempt has succeeded; there is always one attempt.
    Raises HopelessError when the input itself is refused, or after a few unexpected failures in a row.
    """
    pause = FIRST_PAUSE
    bugs = 0
    while True:
        try:
            return action()
        except InvalidError as error:
            raise HopelessError(error.message) from error
        except AppError as error:
            log.warning("attempt_failed", extra={"what": what, "reason": error.message, "pause": round(pause, 1)})
        except Exception as error:
            log.exception("attempt_crashed", extra={"what": what})
            bugs += 1
            if bugs >= TRIES_AFTER_BUG:
                raise HopelessError(f"could not be handled: {type(error).__name__}") from error
        if until.wait(random.uniform(pause / 2, pause)):  # noqa: S311 - spreads retries, guards nothing
            return None
        pause = min(pause * 2, LONGEST_PAUSE)
