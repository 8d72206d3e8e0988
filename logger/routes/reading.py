"""Out of the log store over HTTP: one entry, pages of them, and traces."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from common.clock import Clock
from common.errors import InvalidError, Problem
from common.web.access import Access, access
from common.web.reading import read_json_value
from logger.answers import entry_as_json, page_as_json, trace_as_json
from logger.query.questions import read_page, read_trace
from logger.routes.query_string import query_values
from logger.search import LogSearch
from logger.service import LogService


def reading_blueprint(service: LogService, search: LogSearch, clock: Clock) -> Blueprint:
    blueprint = Blueprint("reading", __name__)

    @blueprint.get("/api/v1/logs")
    @access(Access.INTERNAL)
    def find() -> Response:
        asked = read_page(query_values(), clock.now())
        found = search.page(asked)
        reply = jsonify(page_as_json(found, asked.select))
        if found.next_cursor:
            reply.headers["Link"] = f'<{_with_cursor(found.next_cursor)}>; rel="next"'
        return reply

    @blueprint.post("/api/v1/logs/query")
    @access(Access.INTERNAL)
    def query() -> Response:
        asked = read_page(_members(), clock.now())
        return jsonify(page_as_json(search.page(asked), asked.select))

    @blueprint.get("/api/v1/traces/<trace_id>")
    @access(Access.INTERNAL)
    def trace(trace_id: str) -> Response:
        asked = read_trace(trace_id, query_values())
        return jsonify(trace_as_json(asked.trace_id, search.trace(asked.trace_id), asked.select))

    @blueprint.get("/api/v1/logs/<record_id>")
    @access(Access.INTERNAL)
    def read(record_id: str) -> Response:
        return jsonify(entry_as_json(service.get(record_id)))

    return blueprint


def _members() -> dict[str, Any]:
    body = read_json_value()
    if not isinstance(body, dict):
        raise InvalidError("body must be an object", problems=[Problem("#", "must be an object")])
    return body


def _with_cursor(cursor: str) -> str:
    """This request for the next page, relative to the host, so that it is right on the gateway, too (RFC 8288, section 3.1)."""
    same = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f"{request.path}?{urlencode([*same, ('cursor', cursor)])}"
