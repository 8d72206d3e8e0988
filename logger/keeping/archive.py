"""Files that keep what retention deletes: gzip over lines of JSON, one file for each day of the entries.

Each portion is a gzip member of its own, which says in its header how long it is (RFC 1952, section 2.3.1.1). So a portion that a crash cut
short is found and cut off before the next is appended; every tool for gzip reads the file as one text.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from logger.domain import LogEntry
from logger.keeping.retention import ArchiveError
from logger.transfer.exports import line_of

log = logging.getLogger(__name__)

# ID1 ID2 CM FLG MTIME XFL OS XLEN, then one subfield: SI1 SI2 LEN and the length of the whole member.
_HEADER = struct.Struct("<4sIBBHccHI")
_MAGIC, _EXTRA_BYTES = b"\x1f\x8b\x08\x04", 8
_NAME = (b"L", b"E")
_TRAILER = struct.Struct("<II")


class DayFiles:
    def __init__(self, folder: Path) -> None:
        """`folder` is made when it is not there, readable for its owner only."""
        self._folder = folder
        # Files whose names are on the disk for certain.
        self._kept: set[Path] = set()

    def append(self, entries: Iterable[LogEntry]) -> None:
        """Returns when all are on the disk. Raises ArchiveError; then some may be in the files, and will be there twice."""
        days: dict[str, list[bytes]] = {}
        for entry in entries:
            days.setdefault(entry.created_at.date().isoformat(), []).append(line_of(entry))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for day, lines in days.items():
                self._add(self._folder / f"logs-{day}.ndjson.gz", _member(b"".join(lines)))
        except OSError as error:
            log.error("archive_not_written", extra={"reason": error.strerror, "folder": str(self._folder)})  # noqa: TRY400 - the disk's answer says it all
            raise ArchiveError("entries that are to be deleted cannot be written to the folder for them") from error

    def _add(self, path: Path, member: bytes) -> None:
        if not path.exists():
            self._kept.discard(path)
        with _locked(path) as file:
            end = _whole_members(file, path)
            if end < os.fstat(file).st_size:
                log.warning("archive_repaired", extra={"file": path.name, "at": end})
                os.ftruncate(file, end)
            _write(file, end, member)
            os.fsync(file)
        # a process before this one may have ended between making the file and this
        if path not in self._kept:
            _sync_folder(self._folder)
            self._kept.add(path)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _member(text: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(text) + packer.flush()
    length = _HEADER.size + len(packed) + _TRAILER.size
    header = _HEADER.pack(_MAGIC, 0, 0, 255, _EXTRA_BYTES, *_NAME, 4, length)
    return b"".join((header, packed, _TRAILER.pack(zlib.crc32(text), len(text) & 0xFFFFFFFF)))


def _whole_members(file: int, path: Path) -> int:
    """Where the last whole member ends. Raises ArchiveError when the file was made by something else."""
    size = os.fstat(file).st_size
    end = last = 0
    while size - end >= _HEADER.size:
        header = os.pread(file, _HEADER.size, end)
        magic, _, _, _, extra, *name, _, length = _HEADER.unpack(header)
        if magic != _MAGIC or extra != _EXTRA_BYTES or tuple(name) != _NAME:
            if any(header):
                raise ArchiveError(f"{path.name} was not written by this program; move it away")
            break  # a file that was lengthened, and not written, before a power failure
        if length < _HEADER.size or end + length > size:
            break
        last, end = end, end + length
    return end if _is_sound(os.pread(file, end - last, last)) else last


def _is_sound(member: bytes) -> bool:
    """The disk may have kept the length of the last portion and not its contents."""
    try:
        zlib.decompress(member, 16 + zlib.MAX_WBITS)
    except zlib.error:
        return False
    return True


def _write(file: int, at: int, data: bytes) -> None:
    done = 0
    try:
        while done < len(data):
            done += os.pwrite(file, data[done:], at + done)
    except OSError:
        os.ftruncate(file, at)
        raise


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
