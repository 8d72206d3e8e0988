"""The query string as `logger/query/parameters.py` takes it."""

from __future__ import annotations

from typing import Any

from flask import request


def query_values() -> dict[str, Any]:
    """A text for each name, or a list of them where it stands several times."""
    given = request.args.to_dict(flat=False)
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in given.items()}
