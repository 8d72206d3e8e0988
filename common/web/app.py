"""The Flask application that every service starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Request, Response, current_app, request
from flask.json.provider import JSONProvider
from werkzeug.routing import MapAdapter

from common.lifecycle import Lifecycle
from common.logs import start_batches, stop_batches
from common.web.access import is_quiet
from common.web.edge import QUIET, ROUTE, Edge
from common.web.errors import register_errors
from common.web.health import Check, health_blueprint
from common.web.reading import MAX_BODY


class Application(Flask):
    """Flask without what these services have no use for, and what would be paid for with every request."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """No route here depends on the host, so it is not looked at."""
        if request is None:
            return super().create_url_adapter(request)
        return self.url_map.bind("", path_info=request.path, default_method=request.method)


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
    app = Application(service, static_folder=static_folder)
    app.json_provider_class = OrjsonProvider
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1
    app.url_map.strict_slashes = False
    lifecycle = lifecycle or Lifecycle()
    lifecycle.add("log lines", start=start_batches, stop=stop_batches)
    app.extensions["lifecycle"] = lifecycle
    app.before_request(_name_route)
    app.wsgi_app = Edge(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to wrap an application
    register_errors(app)
    app.register_blueprint(health_blueprint(service, checks))
    return app


def _name_route() -> None:
    """Tells the layer outside what it cannot see."""
    rule = request.url_rule
    if rule is not None:
        request.environ[ROUTE] = rule.rule
        request.environ[QUIET] = is_quiet(current_app, rule.endpoint)
