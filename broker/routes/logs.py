"""/api/v1/logs: what is in the log store."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from broker.service import BrokerService
from common.web.access import Access, access


def logs_blueprint(service: BrokerService) -> Blueprint:
    blueprint = Blueprint("logs", __name__)

    @blueprint.get("/api/v1/logs/<record_id>")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def read(record_id: str) -> Response:
        return jsonify(service.find_log(record_id))

    return blueprint
