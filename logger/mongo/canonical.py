"""The hash of a document: SHA-256 of one text that any program can write for it, whatever order its fields lie in (docs/audit.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import bson
from bson import CodecOptions, Int64, ObjectId
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS

from common.mongo import Document
from logger.mongo.documents import UNSEALED

# Whatever somebody put into the database can be read: times beyond Python's calendar, and texts that are no UTF-8.
READING: CodecOptions[Document] = CodecOptions(
    tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="surrogateescape"
)

_IN_JSON = frozenset({str, bool, int, Int64, float})


def hash_of(document: Mapping[str, Any]) -> str:
    """Of an entry that was read with READING; the mark of what is still to be sealed is no part of it."""
    return sha256(canonical({name: value for name, value in document.items() if name != UNSEALED})).hexdigest()


def canonical(document: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 without white space, keys in order of their characters. What JSON lacks is an object with one key that begins with $;
    keys that begin so themselves get a second one, so that no two documents that are read differently have the same text.
    """
    text = json.dumps(_plain(document), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", "surrogateescape")


def _plain(value: object) -> object:
    # exactly these types: code is a kind of text to Python, but not to MongoDB
    if value is None or type(value) in _IN_JSON:
        return value
    if isinstance(value, Mapping):
        return {f"${key}" if key.startswith("$") else key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, ObjectId):
        return {"$oid": str(value)}
    if isinstance(value, DatetimeMS):
        return {"$date": int(value)}
    return {"$bson": _encoded(value)}


def _encoded(value: object) -> str:
    try:
        return bson.encode({"": value}).hex()
    except UnicodeEncodeError:
        # a text in it is no UTF-8, which the driver reads but does not write; no digits look like this
        return repr(value)
