"""/api/v1/logs/export: many entries out of the log store, passed on as they come."""

from __future__ import annotations

from flask import Blueprint, Response

from common.web.access import Access, access
from common.web.relay import relay
from common.web.stream_client import StreamClient
from common.web.streams import current_client


def export_blueprint(logger: StreamClient) -> Blueprint:
    blueprint = Blueprint("export", __name__)

    @blueprint.get("/api/v1/logs/export")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def export() -> Response:
        return relay(logger, current_client())

    return blueprint
