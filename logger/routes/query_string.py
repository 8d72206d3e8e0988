"""The query string as `logger/query/parameters.py` takes it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request

from common.errors import MalformedError


def query_values() -> dict[str, Any]:
    """A text for each name, or a list of them where it stands several times. Raises MalformedError when they are no UTF-8."""
    try:
        # Flask would search for the text of the escapes
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError as error:
        raise MalformedError(
            "the query string must be UTF-8, with a percent sign before each byte's two digits"
        ) from error
    given = request.args.to_dict(flat=False)
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in given.items()}
