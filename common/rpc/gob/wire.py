"""The primitive values of gob (documented with Go's package encoding/gob) and how messages are cut from a stream."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from common.rpc.calls import MAX_MESSAGE, StreamError, utf8

MAX_VALUES = 65_536  # per message: bounds the memory that a megabyte of tiny values can claim
_UINT_BYTES = 8


class GobError(StreamError):
    """Not gob, or more of it than is allowed. Nothing can be answered: the stream is lost."""


class Reader:
    """Reads one message. Every count is checked against the bytes that are left before it is believed."""

    __slots__ = ("_budget", "_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._budget = MAX_VALUES

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def uint(self) -> int:
        data, position = self._data, self._position
        if position >= len(data):
            raise GobError("message ends early")
        first = data[position]
        if first < 128:
            self._position = position + 1
            return first
        end = position + 257 - first
        if first < 256 - _UINT_BYTES or end > len(data):
            raise GobError("bad integer")
        self._position = end
        return int.from_bytes(data[position + 1 : end])

    def signed(self) -> int:
        """Bit 0 says whether the other bits are complemented."""
        number = self.uint()
        return ~(number >> 1) if number & 1 else number >> 1

    def double(self) -> float:
        """IEEE 754 with the bytes reversed, so that round numbers are short."""
        (number,) = struct.unpack("<d", self.uint().to_bytes(_UINT_BYTES))
        return float(number)

    def blob(self) -> bytes:
        size = self.uint()
        start = self._position
        if size > len(self._data) - start:
            raise GobError("length beyond the message")
        self._position = start + size
        return self._data[start : start + size]

    def string(self) -> str:
        """Go's strings need not be UTF-8; bytes that are none come as lone surrogates."""
        return self.blob().decode(errors="surrogateescape")

    def count(self) -> int:
        """How many elements follow; each takes at least one byte."""
        number = self.uint()
        if number > self.left:
            raise GobError("count beyond the message")
        self.spend(number)
        return number

    def spend(self, values: int) -> None:
        self._budget -= values
        if self._budget < 0:
            raise GobError("too many values in one message")


class MessageStream:
    """One direction of one connection, cut into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes of a message that has begun and not ended."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Reader]:
        """Take `data` in, then yield a reader for each complete message; a GobError comes after the good ones."""
        self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[Reader]:
        start = 0
        try:
            while (bounds := self._next(start)) is not None:
                begin, start = bounds
                yield Reader(bytes(memoryview(self._buffer)[begin:start]))
        finally:
            del self._buffer[:start]

    def _next(self, start: int) -> tuple[int, int] | None:
        """Where the message at `start` begins and ends, None while it is incomplete."""
        buffer = self._buffer
        if start >= len(buffer):
            return None
        begin, size = start + 1, buffer[start]
        if size >= 128:
            begin = start + 257 - size
            if size < 256 - _UINT_BYTES:
                raise GobError("bad message length")
            if begin > len(buffer):
                return None
            size = int.from_bytes(buffer[start + 1 : begin])
        if not 0 < size <= MAX_MESSAGE:
            raise GobError("message empty or too long")
        return (begin, begin + size) if begin + size <= len(buffer) else None


def uint(number: int) -> bytes:
    if number < 128:
        return bytes((number,))
    size = (number.bit_length() + 7) // 8
    return bytes((256 - size,)) + number.to_bytes(size)


def signed(number: int) -> bytes:
    return uint(~number << 1 | 1 if number < 0 else number << 1)


def string(text: str) -> bytes:
    raw = utf8(text)
    return uint(len(raw)) + raw


def message(payload: bytes) -> bytes:
    return uint(len(payload)) + payload
