"""The Flask application that every service starts from."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, request
from flask.json.provider import JSONProvider

from common import context
from common.lifecycle import Lifecycle
from common.web.access import Access, access_of
from common.web.errors import register_errors
from common.web.health import Check, health_blueprint
from common.web.reading import MAX_BODY

log = logging.getLogger("request")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class OrjsonProvider(JSONProvider):
    """orjson behind Flask's interface: the hot path spends its time in JSON."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:  # noqa: ANN401 - Flask's interface
        return orjson.dumps(obj, option=orjson.OPT_UTC_Z).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:  # noqa: ANN401 - Flask's interface
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - Flask's interface
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_UTC_Z)
        return Response(body, content_type="application/json")


def create_flask(
    service: str, *, checks: Mapping[str, Check], lifecycle: Lifecycle | None = None, static_folder: str | None = None
) -> Flask:
    """An application with errors, health, request identity, limits and security headers; blueprints are the caller's.

    `lifecycle` holds what must start after the fork and stop before the exit; gunicorn's hooks run it.
    """
    app = Flask(service, static_folder=static_folder)
    app.json_provider_class = OrjsonProvider
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1
    app.url_map.strict_slashes = False
    app.extensions["lifecycle"] = lifecycle or Lifecycle()
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)
    register_errors(app)
    app.register_blueprint(health_blueprint(service, checks))
    return app


def _begin() -> None:
    context.set_current(
        context.continue_context(
            request.headers.get(context.REQUEST_ID_HEADER), request.headers.get(context.TRACEPARENT_HEADER)
        )
    )
    g.started = time.perf_counter()


def _finish(response: Response) -> Response:
    bound = context.current()
    if bound is not None:
        response.headers[context.REQUEST_ID_HEADER] = bound.request_id
        response.headers["X-Trace-Id"] = bound.trace_id
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    _log_request(response)
    return response


def _log_request(response: Response) -> None:
    """One line per request; probes, which come every few seconds, only when they fail."""
    probe = request.endpoint is not None and access_of_current() is Access.PROBE
    if not log.isEnabledFor(logging.INFO) or (probe and response.status_code < 500):
        return
    log.info(
        "request_served",
        extra={
            "method": request.method,
            "route": str(request.url_rule) if request.url_rule else "unmatched",
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - g.started) * 1000, 2),
        },
    )


def access_of_current() -> Access | None:
    return access_of(current_app, request.endpoint) if request.endpoint else None


def _forget(_error: BaseException | None) -> None:
    context.set_current(None)
