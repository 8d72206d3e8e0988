"""JSON text byte for byte as Go's json.Encoder writes it, so that either side can stand in for the other."""

from __future__ import annotations

import re

import orjson

from common.rpc.calls import utf8

# encoding/json escapes these for the sake of HTML pages; outside strings none of them can occur
_HTML = re.compile(rb"[<>&]|\xe2\x80[\xa8\xa9]")
_HTML_ESCAPES = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}
# Go 1.19 has no short form for backspace and form feed; pairs are matched so that an escaped backslash is left alone
_ESCAPE = re.compile(rb"\\(.)")
_LONG_ESCAPES = {b"b": b"\\u0008", b"f": b"\\u000c"}


def escape(document: bytes) -> bytes:
    """Go's escapes in JSON text that is otherwise ready."""
    return _HTML.sub(lambda found: _HTML_ESCAPES[found[0]], document)


def encode(value: object) -> bytes:
    """JSON of `value` without spaces; a lone surrogate in a str becomes U+FFFD."""
    try:
        document = orjson.dumps(value)
    except TypeError:
        if not isinstance(value, str):
            raise
        document = orjson.dumps(utf8(value).decode())
    if b"\\" in document:
        document = _ESCAPE.sub(lambda found: _LONG_ESCAPES.get(found[1], found[0]), document)
    return escape(document)
