"""The audit chain over HTTP: the hashes that are worth keeping elsewhere."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from common.web.access import Access, access
from logger.audit import HeadSource, is_day
from logger.query.parameters import Parameters
from logger.routes.query_string import query_values

DEFAULT_DAYS = 31
MAX_DAYS = 366


def audit_blueprint(source: HeadSource) -> Blueprint:
    blueprint = Blueprint("audit", __name__)

    @blueprint.get("/api/v1/audit/heads")
    @access(Access.INTERNAL)
    def heads() -> Response:
        given = Parameters(query_values(), own=("limit", "before"), filtering=False)
        limit = given.number("limit", most=MAX_DAYS, default=DEFAULT_DAYS)
        before = given.text("before")
        if before is not None and not is_day(before):
            given.refuse("before", "must be a day such as 2026-11-21")
        given.check()
        return jsonify({"items": [head._asdict() for head in source.heads(limit=limit, before=before)]})

    return blueprint
