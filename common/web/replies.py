"""The envelope of the Go original: key order error, message, data; data is left out when there is none."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app


def envelope(message: str, data: Any = None, *, status: int = 202) -> Response:  # noqa: ANN401 - any JSON value
    body: dict[str, Any] = {"error": False, "message": message}
    if data is not None:
        body["data"] = data
    return current_app.response_class(current_app.json.dumps(body), status=status, content_type="application/json")
