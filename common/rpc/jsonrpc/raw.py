"""Cuts pieces out of JSON text that a parser has already accepted, for ids that must be echoed exactly as they
came: numbers beyond 64 bits, fractions, strings with escapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from common.rpc.jsonrpc.encoding import escape

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_SEPARATORS = re.compile(rb"[\s,:]*", re.DOTALL)
_BRACKET_OR_STRING = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_SCALAR = re.compile(_STRING + rb"|[^\s,\]}]+", re.DOTALL)
_SPACE_OR_STRING = re.compile(rb"(" + _STRING + rb")|\s+", re.DOTALL)


def _end(document: bytes, start: int) -> int:
    """Position after the value that starts at `start`."""
    if document[start] not in b"{[":
        found = _SCALAR.match(document, start)
        return found.end() if found else len(document)
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(document, start):
        if token[0] in b"{[":
            depth += 1
        elif token[0] in b"}]":
            depth -= 1
            if not depth:
                return token.end()
    return len(document)


def elements(document: bytes) -> Iterator[bytes]:
    """The values of a list; of an object, its names and values in turn."""
    position = document.index(document.lstrip()[:1]) + 1
    while True:
        separators = _SEPARATORS.match(document, position)
        position = separators.end() if separators else len(document)
        if document[position] in b"}]":
            return
        end = _end(document, position)
        yield document[position:end]
        position = end


def member(document: bytes, name: str) -> bytes | None:
    """The text of an object's member called `name`, exactly or else in any case; of several the last."""
    exact = other = None
    pieces = elements(document)
    for raw_key in pieces:
        value = next(pieces)
        key = json.loads(raw_key.decode(errors="replace"))
        if key == name:
            exact = value
        elif key.casefold() == name:
            other = value
    return other if exact is None else exact


def compact(value: bytes) -> bytes:
    """`value` as Go writes it back: no spaces outside strings, its own escapes."""
    return escape(_SPACE_OR_STRING.sub(lambda found: found[1] or b"", value))
