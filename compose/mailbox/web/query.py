"""Reads query parameters strictly: what is wrong is refused and named, never guessed."""

from __future__ import annotations

import math

from flask import request
from werkzeug.exceptions import BadRequest

LARGEST_NUMBER = 1_000_000_000


def number(name: str, *, default: int, largest: int = LARGEST_NUMBER) -> int:
    """A whole number from 0; one above `largest` counts as `largest`. Raises BadRequest."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadRequest(f"{name} must be a whole number from 0.")
    return min(int(text), largest)


def seconds(name: str, *, default: float, largest: float) -> float:
    """Raises BadRequest for anything but a number from 0 to `largest`."""
    text = request.args.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= largest:
        raise BadRequest(f"{name} must be a number of seconds from 0 to {largest:g}.")
    return value


def text(name: str, *, longest: int = 1_000) -> str:
    """The parameter or an empty string. Raises BadRequest when it is too long."""
    value = request.args.get(name, "")
    if len(value) > longest:
        raise BadRequest(f"{name} must not be longer than {longest} characters.")
    return value
