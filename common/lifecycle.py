"""What starts after the fork and stops before the exit: listeners first to stop, then running work, then what they stand on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


def _nothing() -> None:
    """For a part that has nothing to do at that moment."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    start: Callable[[], object]
    stop: Callable[[], object]


@dataclass(slots=True)
class Lifecycle:
    """Parts start in the order they were added and stop in the reverse order. A part that fails to stop does not keep the others."""

    parts: list[_Part] = field(default_factory=list)
    started: list[_Part] = field(default_factory=list)
    # Set before the parts stop, while requests may still finish: what would go on for ever is to end by itself.
    stopping: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, *, start: Callable[[], object] = _nothing, stop: Callable[[], object] = _nothing) -> None:
        self.parts.append(_Part(name, start, stop))

    def start(self) -> None:
        """Raises what a part raises, after stopping those already started."""
        for part in self.parts:
            try:
                part.start()
            except BaseException:
                log.exception("part_failed_to_start", extra={"part": part.name})
                self.stop()
                raise
            self.started.append(part)

    def stop(self) -> None:
        self.stopping.set()
        while self.started:
            part = self.started.pop()
            try:
                part.stop()
            except Exception:
                log.exception("part_failed_to_stop", extra={"part": part.name})


def patiently(action: Callable[[], object], *, expecting: type[Exception], seconds: float) -> Callable[[], None]:
    """`action`, tried again while it raises `expecting`, for `seconds` at most; then what it raised is raised.

    For a port that the process before this one is still letting go of.
    """

    def attempt() -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                action()
            except expecting:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.1)
            else:
                return

    return attempt
