"""Around every request, outside of Flask: its identity, the headers that every answer carries, and its line in the log.

A WSGI layer, since the same in Flask's hooks costs half as much as the request itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from common import context
from common.web.room import bodies

log = logging.getLogger("request")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_ALWAYS = list(SECURITY_HEADERS.items())

# Set in the WSGI environment by the application: the rule that matched, and whether only a failure is worth a line at the usual level.
ROUTE = "edge.route"
QUIET = "edge.quiet"
# Bytes of `bodies` that the request holds until it is over.
ROOM_TAKEN = "edge.room"

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Edge:
    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.perf_counter()
        bound = context.continue_context(environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT"))
        context.set_current(bound)

        def respond(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ANN401 - WSGI's signature
            given = {name.lower() for name, _ in headers}
            headers.extend(pair for pair in _ALWAYS if pair[0].lower() not in given)
            headers += ((context.REQUEST_ID_HEADER, bound.request_id), ("X-Trace-Id", bound.trace_id))
            _log_request(environ, int(status[:3]), started)
            return start_response(status, headers, exc_info)

        try:
            return self._application(environ, respond)
        finally:
            context.set_current(None)
            if taken := environ.get(ROOM_TAKEN):
                bodies.give_back(taken)


def _log_request(environ: Environ, status: int, started: float) -> None:
    level = logging.DEBUG if status < 400 and environ.get(QUIET) else logging.INFO
    if not log.isEnabledFor(level):
        return
    log.log(
        level,
        "request_served",
        extra={
            "method": environ["REQUEST_METHOD"],
            "route": environ.get(ROUTE, "unmatched"),
            "status": status,
            "duration_ms": round((time.perf_counter() - started) * 1000, 2),
        },
    )
