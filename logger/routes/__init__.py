"""The HTTP door of the log store."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from common.web.access import Access, access
from common.web.reading import read_json
from common.web.replies import envelope
from logger.schemas import LogBody, entry_as_json
from logger.service import LogService


def logs_blueprint(service: LogService) -> Blueprint:
    blueprint = Blueprint("logs", __name__)

    @blueprint.post("/log")
    @access(Access.INTERNAL)
    def write() -> Response:
        recorded = service.record(read_json(LogBody).draft(), door="http")
        return envelope("logged", {"id": recorded.id, "stored": "mongodb"})

    @blueprint.get("/api/v1/logs/<record_id>")
    @access(Access.INTERNAL)
    def read(record_id: str) -> Response:
        return jsonify(entry_as_json(service.get(record_id)))

    return blueprint
