"""Waiting for a condition with a deadline; no test sleeps for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, seconds: float = 15.0, every: float = 0.05) -> T:
    """What `look` returns as soon as that is truthy; an exception in it counts as "not yet".

    Fails with the last thing seen when the time is over.
    """
    end = time.monotonic() + seconds
    while True:
        seen: object
        try:
            value = look()
            if value:
                return value
            seen = value
        except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
            seen = error
        if time.monotonic() >= end:
            raise AssertionError(f"not within {seconds} s; last seen: {seen!r}")
        time.sleep(every)
