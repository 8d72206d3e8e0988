"""The one place where an error becomes an HTTP answer.

Two shapes, chosen by the path and the Accept header: the envelope of the Go original (`{"error":true,"message":...}`) on the seeds' paths,
`application/problem+json` (RFC 9457) under /api/ or when asked for.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from common import context
from common.errors import BUG_MESSAGE, AppError, Kind, Problem

log = logging.getLogger(__name__)

STATUS: dict[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.TOO_LARGE: 413,
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.UNSUPPORTED: 501,
    Kind.CONFLICT: 409,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
    Kind.TIMEOUT: 504,
    Kind.BAD_REPLY: 502,
    Kind.BUG: 500,
}

# werkzeug's own descriptions speak of browsers and servers; these are for programs that call an API.
_HTTP_MESSAGES = {
    404: "no such path",
    405: "method not allowed on this path",
    413: "body is larger than 1 MiB",
}


def _wants_problem() -> bool:
    return request.path.startswith("/api/") or "application/problem+json" in request.headers.get("Accept", "")


def _problem_body(status: int, message: str, problems: tuple[Problem, ...]) -> dict[str, object]:
    bound = context.current()
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": request.path,
    }
    if bound:
        body |= {"request_id": bound.request_id, "trace_id": bound.trace_id}
    return body | _listed(problems)


def _listed(problems: tuple[Problem, ...]) -> dict[str, object]:
    if not problems:
        return {}
    return {"errors": [{"pointer": problem.pointer, "detail": problem.detail} for problem in problems]}


def error_response(status: int, message: str, problems: tuple[Problem, ...] = ()) -> Response:
    """The answer for an error, in the shape the caller reads."""
    if _wants_problem():
        body, kind = _problem_body(status, message, problems), "application/problem+json"
    else:
        body, kind = {"error": True, "message": message} | _listed(problems), "application/json"
    return current_app.response_class(current_app.json.dumps(body), status=status, content_type=kind)


def _on_app_error(error: AppError) -> Response:
    status = STATUS[error.kind]
    if status >= 500:
        extra = {"kind": str(error.kind), "reason": error.message} | _cause(error)
        # where in the code it was noticed that something else is away says nothing; where a bug is says everything
        log.warning("request_refused", extra=extra, exc_info=error if error.kind is Kind.BUG else None)
    response = error_response(status, error.message, error.problems)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _cause(error: BaseException) -> dict[str, str]:
    """For the log: what the error began with. Of other people's words only the operating system's: a driver's may hold an address or a name."""
    first = error
    while first.__cause__ is not None:
        first = first.__cause__
    if first is error:
        return {}
    words = first.message if isinstance(first, AppError) else first.strerror if isinstance(first, OSError) else None
    return {"cause": f"{type(first).__name__}: {words}" if words else type(first).__name__}


def _on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # a redirect is not an error
        return Response(status=status, headers=dict(error.get_headers()))
    words = _HTTP_MESSAGES.get(status) or HTTPStatus(status).phrase.lower()
    if isinstance(error, UnsupportedMediaType):  # only the reader of a body knows which types it takes
        words = error.description or words
    response = error_response(status, words)
    for name, value in error.get_headers():
        if name in ("Accept-Encoding", "Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _on_bug(error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return error_response(500, BUG_MESSAGE)


def register_errors(app: Flask) -> None:
    app.register_error_handler(AppError, _on_app_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_bug)
