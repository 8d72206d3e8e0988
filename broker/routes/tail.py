"""/api/v1/logs/tail: what the log store tells while it is stored, passed on as it comes."""

from __future__ import annotations

from flask import Blueprint, Response

from common.web.access import Access, access
from common.web.relay import relay
from common.web.stream_client import StreamClient
from common.web.streams import current_client


def tail_blueprint(logger: StreamClient) -> Blueprint:
    blueprint = Blueprint("tail", __name__)

    @blueprint.get("/api/v1/logs/tail")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def follow() -> Response:
        return relay(logger, current_client())

    return blueprint
