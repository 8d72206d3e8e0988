"""Puts the HTTP door together: routes, one form for every error, and the headers that keep mail harmless."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import Forbidden, HTTPException

from compose.mailbox.store import Store, StoreClosedError
from compose.mailbox.web import api_v1, api_v2, health, page

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent.parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(store: Store, *, smtp_address: str, allowed_hosts: tuple[str, ...] = ()) -> Flask:
    app = Flask(__name__, static_folder=STATIC, static_url_path="/static")
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, the base class has not
    app.url_map.strict_slashes = False
    for blueprint in (
        health.create_blueprint(store),
        api_v1.create_blueprint(store),
        api_v2.create_blueprint(store),
        page.create_blueprint(store, smtp_address=smtp_address),
    ):
        app.register_blueprint(blueprint)
    names = frozenset(name.lower() for name in allowed_hosts)
    app.before_request(lambda: _refuse_foreign_names(names))
    app.after_request(_add_protection)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StoreClosedError, _stopping)
    app.register_error_handler(Exception, _unexpected_error)
    return app


def _refuse_foreign_names(allowed: frozenset[str]) -> None:
    """Stop DNS rebinding: a web site whose name points at this machine must not read mail, which may hold tokens."""
    host = (urlsplit(f"//{request.host}").hostname or "").lower()
    if host not in allowed and "." in host and not host.endswith(".localhost") and not _is_address(host):
        raise Forbidden("The mailbox is not known by this host name; allow it with --allow-host.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _add_protection(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-DNS-Prefetch-Control"] = "off"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _http_error(error: HTTPException) -> Response:
    response = jsonify(error=error.description or error.name)
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "location"):
            response.headers[name] = value
    return response


def _stopping(_: StoreClosedError) -> tuple[Response, int, dict[str, str]]:
    return jsonify(error="The mailbox is stopping."), 503, {"Retry-After": "1"}


def _unexpected_error(error: Exception) -> tuple[Response, int]:
    log.error("request failed", exc_info=error, extra={"path": request.path})
    return jsonify(error="The mailbox could not answer."), 500
