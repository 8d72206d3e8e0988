"""How records lie in a file: a mark, the length, a CRC-32 of both length and record, the record. Pure functions.

A process may die in the middle of a write and a disk may spoil a block; both show, and what comes after is found again by its mark.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MARK = b"\xabREC"
_HEAD = struct.Struct("<4sII")
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Found:
    """What lies from `start` to `end` (exclusive): a record, or None where the bytes are none."""

    start: int
    end: int
    record: bytes | None


def frame(record: bytes) -> bytes:
    return _HEAD.pack(MARK, len(record), _checksum(record)) + record


def frame_size(record: bytes) -> int:
    """Bytes that `record` takes in a file."""
    return _HEAD.size + len(record)


def read_frames(data: bytes) -> Iterator[Found]:
    """All records in `data` in order, and the bytes between and after them that belong to none."""
    position = 0
    while position < len(data):
        found = _record_at(data, position)
        if found is None:
            end = _next_record(data, position + 1)
            yield Found(position, end, None)
            position = end
        else:
            yield found
            position = found.end


def _record_at(data: bytes, start: int) -> Found | None:
    body = start + _HEAD.size
    if not data.startswith(MARK, start) or body > len(data):
        return None
    _, length, checksum = _HEAD.unpack_from(data, start)
    record = data[body : body + length]
    if len(record) < length or _checksum(record) != checksum:
        return None
    return Found(start, body + length, record)


def _next_record(data: bytes, start: int) -> int:
    """Where the next sound record begins; the end of `data` when there is none."""
    while (start := data.find(MARK, start)) >= 0:
        if _record_at(data, start):
            return start
        start += 1
    return len(data)


def _checksum(record: bytes) -> int:
    return zlib.crc32(record, zlib.crc32(_LENGTH.pack(len(record))))
