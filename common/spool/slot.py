"""One folder of a spool: segment files that one process at a time owns, appends to and takes from the front."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from common.spool import files
from common.spool.frames import frame, read_frames

log = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 1024 * 1024
READ_BYTES = 1024 * 1024
SUFFIX = ".records"
REFUSED = "refused.jsonl"
_POSITION = "position"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place between two records: bytes into a segment."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest records, and the place behind them."""

    records: list[bytes]
    end: Mark


class Slot:
    """Thread-safe. What `append` returned for is on the disk; a crash repeats at most the batch that was not yet passed."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Use `claim`. Cuts off what a crash left unfinished, and counts what is there. Raises OSError."""
        self.folder = folder
        self._claim: int | None = lock
        self._lock = threading.Lock()
        # bytes of each segment that hold whole records
        self._sizes: dict[int, int] = {}
        self._records = 0
        self._position = self._read_position()
        self._open: int | None = None
        self._recover()
        self._last = max([self._position.segment, *self._sizes])

    @classmethod
    def claim(cls, folder: Path) -> Slot | None:
        """None when another process owns the folder, which it does until it ends, however it ends. Raises OSError."""
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.sync_folder(folder.parent)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(folder, lock)
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:
            os.close(lock)
            raise

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(self._sizes.values())

    @property
    def records(self) -> int:
        """How many wait."""
        return self._records

    def append(self, records: Sequence[bytes]) -> None:
        """Returns when all are on the disk. Raises OSError: then it is unknown whether they are."""
        data = b"".join(map(frame, records))
        with self._lock:
            descriptor = self._writable()
            size = self._sizes[self._last]
            try:
                files.write_through(descriptor, data, size)
            except OSError:
                self._abandon(size)
                raise
            self._sizes[self._last] = size + len(data)
            self._records += len(records)

    def oldest(self, limit: int) -> Batch:
        """At most `limit` records of one segment; none when the slot is empty. They stay until `passed`. Raises OSError."""
        with self._lock:
            mark, sizes = self._position, dict(self._sizes)
        for segment in sorted(sizes):
            start = Mark(segment, mark.offset if segment == mark.segment else 0)
            batch = self._read(start, sizes[segment], limit)
            if batch.records:
                return batch
            self.passed(batch)
        return Batch([], mark)

    def passed(self, batch: Batch) -> None:
        """The records of the batch are no longer this slot's business. Raises OSError."""
        with self._lock:
            files.replace(self.folder / _POSITION, b"%d %d\n" % (batch.end.segment, batch.end.offset))
            self._position = batch.end
            self._records -= len(batch.records)
            if batch.end.offset >= self._sizes.get(batch.end.segment, 0):
                self._remove(batch.end.segment)

    def set_aside(self, record: bytes, reason: str) -> None:
        """Keeps a record that nobody will ever take, for people to look at. Raises OSError."""
        log.error("record_refused", extra={"reason": reason, "file": REFUSED})
        line = {"reason": reason, "record": record.decode(errors="backslashreplace")}
        files.append(self.folder / REFUSED, orjson.dumps(line) + b"\n")

    def release(self) -> None:
        with self._lock:
            self._close()
            if self._claim is not None:
                os.close(self._claim)
                self._claim = None

    def _writable(self) -> int:
        """A descriptor of the last segment, a new one when that is full."""
        if self._open is not None and self._sizes[self._last] >= SEGMENT_BYTES:
            self._close()
        if self._open is None:
            self._last += 1  # first: a number whose file was half made is not tried again
            self._open = files.create(self._path(self._last))
            self._sizes[self._last] = 0
        return self._open

    def _abandon(self, size: int) -> None:
        """After a failed write nothing is appended to the same file: what the system says of it can no longer be trusted."""
        self._close()
        with suppress(OSError):
            files.cut(self._path(self._last), size)
        if size == 0:
            self._remove(self._last)

    def _remove(self, segment: int) -> None:
        if segment == self._last:
            self._close()
        with suppress(FileNotFoundError):
            self._path(segment).unlink()
        self._sizes.pop(segment, None)

    def _close(self) -> None:
        if self._open is not None:
            os.close(self._open)
            self._open = None

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:012d}{SUFFIX}"

    def _read(self, start: Mark, size: int, limit: int) -> Batch:
        records: list[bytes] = []
        end, want = start.offset, READ_BYTES
        while not records and end < size:
            base, stop = end, min(size, end + want)
            with self._path(start.segment).open("rb") as file:
                file.seek(base)
                data = file.read(stop - base)
            for found in read_frames(data):
                if len(records) == limit:
                    break
                if found.record is not None:
                    records.append(found.record)
                elif base + found.end >= stop and stop < size:
                    break  # the record goes on behind what was read
                else:
                    self._keep_damaged(start.segment, base + found.start, data[found.start : found.end])
                end = base + found.end
            want *= 2
        return Batch(records, Mark(start.segment, end))

    def _keep_damaged(self, segment: int, offset: int, data: bytes) -> None:
        """Bytes that the disk spoiled are no reason to lose what comes behind them, nor to throw them away."""
        log.error("spool_damaged", extra={"segment": segment, "offset": offset, "size": len(data)})
        files.replace(self.folder / f"damaged-{segment}-{offset}", data)

    def _read_position(self) -> Mark:
        """Where the last batch ended; the very beginning when that cannot be read, which repeats records and loses none."""
        try:
            segment, offset = (self.folder / _POSITION).read_bytes().split()
            return Mark(int(segment), int(offset))
        except (FileNotFoundError, ValueError):
            return Mark(0, 0)

    def _recover(self) -> None:
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            segment = int(path.stem)
            if segment < self._position.segment:
                path.unlink()
                continue
            passed = self._position.offset if segment == self._position.segment else 0
            data = path.read_bytes()
            size = len(data)
            for found in read_frames(data):
                if found.record is not None:
                    self._records += found.start >= passed
                elif found.end == size:
                    log.warning("spool_tail_cut", extra={"segment": segment, "size": found.end - found.start})
                    files.cut(path, found.start)
                    size = found.start
            self._sizes[segment] = size
