"""Where a reader of the live tail is: places in the order in which entries were stored, and their text as the id of an event."""

from __future__ import annotations

import base64
import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from common.errors import MalformedError, Problem
from logger.ports import Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LIVE, _PAST = 1, 2
_PAST_LAYOUT = struct.Struct(">IIq12s")
# What is live begins with the next one of the moment's second; the store never counts so far.
_NO_ORDINAL = 0xFFFFFFFF
_CHECK_BYTES = 4
_MAX_CHARACTERS = 1_000


class Moment(NamedTuple):
    """The store's own clock: `ordinal` orders what happens in one second."""

    seconds: int
    ordinal: int

    @property
    def time(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.seconds)


class Live(NamedTuple):
    """Just behind a change. `token` is the store's, hexadecimal; tokens of one store compare as texts in the order of the changes.

    `seconds`: since 1970, when the change was made.
    """

    token: str
    seconds: int

    @property
    def time(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.seconds)


class Past(NamedTuple):
    """In the history that was there at `moment`: just behind `after`, or before its first entry. What is live begins at its end."""

    moment: Moment
    after: Position | None

    @property
    def time(self) -> datetime:
        return self.moment.time


Place = Live | Past


def sealed(place: Live | Past) -> str:
    """The place as one opaque word. It says nothing that a reader could use, and damage to it is noticed."""
    if isinstance(place, Live):
        body = struct.pack(">BI", _LIVE, place.seconds) + bytes.fromhex(place.token)
    elif place.after is None:
        raise ValueError("the beginning of a history is nobody's last event")
    else:
        created = (place.after.created_at - _EPOCH) // _MILLISECOND
        body = bytes([_PAST]) + _PAST_LAYOUT.pack(*place.moment, created, bytes.fromhex(place.after.key))
    return base64.urlsafe_b64encode(body + _check(body)).rstrip(b"=").decode()


def opened(text: str) -> Place:
    """The place that was `sealed`. Raises MalformedError for anything else."""
    try:
        return _read(_body(text))
    except (ValueError, OverflowError, struct.error) as error:
        raise unknown_place() from error


def unknown_place() -> MalformedError:
    detail = "is not the id of an event of this stream"
    return MalformedError(f"Last-Event-ID: {detail}", problems=[Problem("#/Last-Event-ID", detail)])


def _body(text: str) -> bytes:
    if len(text) > _MAX_CHARACTERS:
        raise ValueError("too long")
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if check != _check(body):
        raise ValueError("damaged")
    return body


def _read(body: bytes) -> Place:
    if body[:1] == bytes([_LIVE]) and len(body) > struct.calcsize(">BI"):
        _, seconds = struct.unpack_from(">BI", body)
        return Live(body[5:].hex().upper(), seconds)
    if body[:1] != bytes([_PAST]):
        raise ValueError("of another kind")
    seconds, ordinal, created, key = _PAST_LAYOUT.unpack(body[1:])
    if ordinal == _NO_ORDINAL:
        raise ValueError("nothing could follow in its second")
    return Past(Moment(seconds, ordinal), Position(_EPOCH + created * _MILLISECOND, key.hex()))


def _check(body: bytes) -> bytes:
    return hashlib.sha256(b"place" + body).digest()[:_CHECK_BYTES]
