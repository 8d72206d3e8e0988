"""Cursors: where the next page begins, as an opaque text that its reader hands back with the same question.

A cursor holds the moment of the first page, so that "two hours ago" stays where it was while somebody pages. It is not a secret: who
forges one gets what the filter in his own request gives him.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from logger.ports import Order, Position
from logger.query.filters import Filter

_VERSION = 1
# version, order, moment of the first page and created_at in milliseconds since 1970, key, fingerprint of the filter
_LAYOUT = struct.Struct(">BBqq12s8s")
_CHECKSUM_BYTES = 4
_ORDERS: tuple[Order, ...] = ("newest", "oldest")
_TEXT = re.compile(r"[A-Za-z0-9_-]{56}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class CursorError(ValueError):
    """The text is no cursor of this version, or not a whole one."""


class Cursor(NamedTuple):
    """`asked_at`: the moment that relative times of the question count from, in whole milliseconds."""

    position: Position
    order: Order
    asked_at: datetime
    fingerprint: bytes

    def continues(self, wanted: Filter, order: Order) -> bool:
        """Whether it was made for this question."""
        return self.order == order and self.fingerprint == fingerprint(wanted)


def sealed(cursor: Cursor) -> str:
    """56 characters of A-Z a-z 0-9 - and _."""
    packed = _LAYOUT.pack(
        _VERSION,
        _ORDERS.index(cursor.order),
        _milliseconds(cursor.asked_at),
        _milliseconds(cursor.position.created_at),
        bytes.fromhex(cursor.position.key),
        cursor.fingerprint,
    )
    return base64.urlsafe_b64encode(packed + _digest(packed, _CHECKSUM_BYTES)).decode()


def opened(text: str) -> Cursor:
    """Raises CursorError."""
    if not _TEXT.fullmatch(text):
        raise CursorError("not a cursor")
    raw = base64.urlsafe_b64decode(text)
    try:
        packed, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
        version, order, asked_at, created_at, key, printed = _LAYOUT.unpack(packed)
        if version != _VERSION or checksum != _digest(packed, _CHECKSUM_BYTES):
            raise CursorError("unknown version or wrong checksum")
        position = Position(_moment(created_at), key.hex())
        return Cursor(position, _ORDERS[order], _moment(asked_at), printed)
    except (IndexError, OverflowError) as error:
        raise CursorError("not a cursor") from error


def fingerprint(wanted: Filter) -> bytes:
    """8 bytes that differ for filters that differ; the order of the conditions is none of it."""
    conditions = sorted(map(repr, wanted.conditions))
    return _digest(repr((wanted.since, wanted.until, conditions)).encode(), 8)


def whole_milliseconds(moment: datetime) -> datetime:
    """What a cursor can hold of a time."""
    return _moment(_milliseconds(moment))


def _digest(content: bytes, size: int) -> bytes:
    return hashlib.blake2b(content, digest_size=size).digest()


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
