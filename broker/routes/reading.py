"""What is in the log store: questions go to it as they come, and its answers back as they are."""

from __future__ import annotations

import re
from urllib.parse import quote

from flask import Blueprint, Response, request

from broker.service import BrokerService
from common.web.access import Access, access
from common.web.reading import read_body

# What may stand in a query string (RFC 3986, section 3.4), and the sign of what is written otherwise.
_IN_QUERIES = "!$&'()*+,;=:@/?-._~%"
# The sign itself, which every server takes for what it is, and the client that carries it on would refuse.
_BARE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def reading_blueprint(service: BrokerService) -> Blueprint:
    blueprint = Blueprint("reading", __name__)

    @blueprint.get("/api/v1/logs")
    @blueprint.get("/api/v1/logs/count")
    @blueprint.get("/api/v1/logs/histogram")
    @blueprint.get("/api/v1/logs/facets")
    @blueprint.get("/api/v1/traces/<trace_id>")
    @blueprint.get("/api/v1/audit/heads")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def read(**_: str) -> Response:
        return _passed_on(service)

    @blueprint.post("/api/v1/logs/query")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def query() -> Response:
        return _passed_on(service, read_body())

    return blueprint


def _passed_on(service: BrokerService, body: bytes | None = None) -> Response:
    path = quote(request.path)
    if request.query_string:
        path += f"?{quote(_BARE_PERCENT.sub(b'%25', request.query_string), safe=_IN_QUERIES)}"
    answer = service.ask_logs(path, body, request.content_type or "")
    response = Response(answer.content, status=answer.status)
    response.headers.update(answer.headers)
    return response
