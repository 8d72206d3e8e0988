"""Finds the JSON documents in a stream of bytes cut anywhere. Whole lines, which is what every known client
sends, are parsed at once; anything else goes through a scanner that never looks at a byte twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import orjson

from common.rpc.calls import MAX_MESSAGE, StreamError, has_surrogate

MAX_DEPTH = 1024  # orjson's own limit
_SPACE = re.compile(rb"[ \t\r\n]*")
_OUTSIDE_STRING = re.compile(rb'["{}\[\]]')
_INSIDE_STRING = re.compile(rb'["\\\x00-\x1f]')
_OBJECT_START = re.compile(rb'\{[ \t\r\n]*(?:["}]|\Z)')
_QUOTE, _BACKSLASH = b'"\\'
_CLOSERS = {ord("{"): ord("}"), ord("["): ord("]")}
_NULL = b"null"


class FramingError(StreamError):
    """Not JSON, or more of it than is allowed in one message."""


@dataclass(frozen=True, slots=True)
class Document:
    value: object
    text: bytes
    unicode: bool
    """False when a string in it holds a lone surrogate or bytes that are not UTF-8."""


def parse(text: bytes) -> Document:
    try:
        return Document(orjson.loads(text), text, unicode=True)
    except orjson.JSONDecodeError:
        return _parse_tolerantly(text)


def _parse_tolerantly(text: bytes) -> Document:
    """Accept what is JSON by its grammar though its strings are no Unicode: then one call fails, not the stream.

    Numbers too large for a float pass here as well; orjson refuses them.
    """
    try:
        value: object = json.loads(text.decode(errors="surrogateescape"), parse_constant=_refuse)
        written = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        raise FramingError("not JSON") from error
    return Document(value, text, unicode=not has_surrogate(written))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


class DocumentStream:
    """One direction of one connection. After a FramingError every further `feed` raises it again."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0
        self._failure: FramingError | None = None
        self._newline_from = 0
        self._line_tried = 0
        self._forget_scan(0)

    @property
    def buffered(self) -> int:
        """Bytes of a message that has begun and not ended; after a failure, the bytes that caused it."""
        return len(self._buffer) - self._start

    def holds(self, pattern: re.Pattern[bytes]) -> bool:
        return pattern.search(self._buffer, self._start) is not None

    def feed(self, data: bytes) -> Iterator[Document]:
        """Take `data` in, then yield each document that is complete; a FramingError comes after the good ones."""
        if not self._failure:
            self._drop_consumed()
            self._buffer += data
        return self._documents()

    def _documents(self) -> Iterator[Document]:
        if self._failure:
            raise self._failure
        try:
            while self._skip_space():
                document = self._whole_line() or self._scanned_document()
                if document is None:
                    return
                yield document
        except FramingError as error:
            self.fail(error)
            raise

    def fail(self, error: FramingError) -> None:
        """Give the stream up for a reason found by its reader."""
        self._failure = error

    def _drop_consumed(self) -> None:
        consumed, self._start = self._start, 0
        del self._buffer[:consumed]
        self._position -= consumed
        self._newline_from = max(0, self._newline_from - consumed)
        self._line_tried = max(0, self._line_tried - consumed)

    def _forget_scan(self, position: int) -> None:
        self._position = position
        self._in_string = False
        self._expected = bytearray()

    def _skip_space(self) -> bool:
        if self._position <= self._start:
            found = _SPACE.match(self._buffer, self._start)
            self._start = found.end() if found else self._start
        return self._start < len(self._buffer)

    def _text(self, end: int) -> bytes:
        return bytes(memoryview(self._buffer)[self._start : end])

    def _take(self, end: int) -> None:
        self._start = end
        self._forget_scan(end)

    def _whole_line(self) -> Document | None:
        if self._start < self._line_tried:
            return None
        end = self._buffer.find(b"\n", max(self._start, self._newline_from))
        self._newline_from = end if end >= 0 else len(self._buffer)
        if end < 0 or end - self._start > MAX_MESSAGE:
            return None
        # a line is tried once: one with a thousand documents in it would otherwise be parsed a thousand times
        self._line_tried = end + 1
        text = self._text(end)
        try:
            document = Document(orjson.loads(text), text, unicode=True)
        except orjson.JSONDecodeError:
            return None
        self._take(end + 1)
        return document

    def _scanned_document(self) -> Document | None:
        end = self._scan_null() if self._buffer[self._start] == _NULL[0] else self._scan()
        if (end if end >= 0 else len(self._buffer)) - self._start > MAX_MESSAGE:
            raise FramingError("message too long")
        if end < 0:
            return None
        document = parse(self._text(end))
        self._take(end)
        return document

    def _scan_null(self) -> int:
        """The one document without brackets that Go's decoder takes for a request."""
        head = bytes(self._buffer[self._start : self._start + len(_NULL)])
        if not _NULL.startswith(head):
            raise FramingError("not JSON")
        return self._start + len(_NULL) if head == _NULL else -1

    def _scan(self) -> int:
        """Go on looking for the bracket that ends the message: the position after it, or -1."""
        if self._buffer[self._start] not in _CLOSERS:
            raise FramingError("not a JSON object")
        self._position = max(self._position, self._start)
        while found := (_INSIDE_STRING if self._in_string else _OUTSIDE_STRING).search(self._buffer, self._position):
            self._position = found.end()
            if self._passes(self._buffer[found.start()]):
                return self._position
        # an escape at the very end has moved the position past a byte that is still to come
        self._position = max(self._position, len(self._buffer))
        if self._buffer[self._start] == ord("{") and not _OBJECT_START.match(
            self._buffer, self._start, self._start + 64
        ):
            raise FramingError("not a JSON object")
        return -1

    def _passes(self, byte: int) -> bool:
        """Note one significant byte; true when it ends the message."""
        if byte == _QUOTE:
            self._in_string = not self._in_string
        elif byte == _BACKSLASH:
            self._position += 1
        elif self._in_string:
            raise FramingError("control character in a string")
        elif byte in _CLOSERS:
            self._expected.append(_CLOSERS[byte])
            if len(self._expected) > MAX_DEPTH:
                raise FramingError("nested too deeply")
        elif not self._expected or self._expected.pop() != byte:
            raise FramingError("brackets do not match")
        return not self._expected
