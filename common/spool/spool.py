"""The spool of a process: one slot of its own below a common folder, one fsync for all who append at the same time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.combining import MIB, Combiner, Limits
from common.errors import TooManyError, UnavailableError
from common.spool.frames import frame_size
from common.spool.slot import REFUSED, SUFFIX, Slot

log = logging.getLogger(__name__)

MAX_SLOTS = 64
# After a folder could not be used, it is not looked at again for this long.
REST_SECONDS = 1.0
_LIMITS = Limits(lanes=1, max_batch=5_000, max_pending_bytes=32 * MIB, timeout=5.0)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: how many records, and the bytes they take on the disk."""

    records: int
    size: int


class Spool:
    """Thread-safe. `max_bytes` bounds what this process keeps on the disk."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._slot: Slot | None = None
        self._resting_until = 0.0
        self._lock = threading.Lock()
        # bytes on their way into the slot
        self._coming = 0
        self._combiner: Combiner[bytes, None] = Combiner(self._write, what="the spool", weigh=len, limits=_LIMITS)

    def start(self) -> None:
        """Call after the fork. A folder that cannot be used now is tried again later."""
        self._combiner.start()
        self._claimed()

    def stop(self) -> None:
        self._combiner.stop()
        if self._slot is not None:
            self._slot.release()
            self._slot = None

    def append(self, records: Sequence[bytes]) -> None:
        """Returns when all records are on the disk.

        Raises TooManyError when there is no room (nothing is kept), UnavailableError or DeadlineError when the disk fails or hangs: then
        it is unknown whether they are kept.
        """
        slot = self._claimed()
        if slot is None:
            raise UnavailableError("the spool cannot be used now")
        size = sum(map(frame_size, records))
        with self._lock:
            if slot.size + self._coming + size > self._max_bytes:
                raise TooManyError("the spool is full", retry_after=5)
            self._coming += size
        try:
            self._combiner.submit(records)
        finally:
            with self._lock:
                self._coming -= size

    @property
    def backlog(self) -> Backlog:
        slot = self._slot
        return Backlog(slot.records, slot.size) if slot is not None else Backlog(0, 0)

    def check(self) -> None:
        """For readiness: raises UnavailableError unless the spool can be used and nothing waits in it."""
        if self._slot is None:
            raise UnavailableError("cannot be used")
        backlog = self.backlog
        if backlog.records:
            raise UnavailableError(f"{backlog.records} records wait ({backlog.size} bytes)")
        others = [path for path in self._folder.glob(f"slot-*/*{SUFFIX}") if path.parent != self._slot.folder]
        if others:
            raise UnavailableError(f"records of other processes wait (in {len(others)} files)")
        if (self._slot.folder / REFUSED).exists():
            raise UnavailableError("holds records that were refused")

    def own(self) -> Slot | None:
        """This process's slot; None while the folder cannot be used."""
        return self._slot

    @contextmanager
    def left(self) -> Iterator[list[Slot]]:
        """Slots with records whose processes are gone, claimed for as long as the context lasts. Raises OSError."""
        found: list[Slot] = []
        try:
            for folder in sorted({path.parent for path in self._folder.glob(f"slot-*/*{SUFFIX}")}):
                if self._slot is None or folder != self._slot.folder:
                    slot = Slot.claim(folder)
                    found += [slot] if slot is not None else []
            yield found
        finally:
            for slot in found:
                slot.release()

    def _claimed(self) -> Slot | None:
        if self._slot is not None:
            return self._slot
        with self._lock:
            if self._slot is None and time.monotonic() >= self._resting_until:
                self._resting_until = time.monotonic() + REST_SECONDS
                try:
                    self._slot = self._first_free()
                except OSError as error:
                    log.error("spool_unusable", extra={"reason": error.strerror or type(error).__name__})  # noqa: TRY400 - the reason is all there is to know
            return self._slot

    def _first_free(self) -> Slot | None:
        claims = (Slot.claim(self._folder / f"slot-{number}") for number in range(MAX_SLOTS))
        return next((slot for slot in claims if slot is not None), None)

    def _write(self, records: list[bytes]) -> list[None]:
        slot = self._slot
        if slot is None:
            raise UnavailableError("the spool cannot be used now")
        try:
            slot.append(records)
        except OSError as error:
            log.error("spool_write_failed", extra={"reason": error.strerror or type(error).__name__})  # noqa: TRY400 - the reason is all there is to know
            raise UnavailableError("the spool cannot be written now") from error
        return [None] * len(records)
