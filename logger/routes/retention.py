"""How long entries stay, over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from common.web.access import Access, access
from common.web.reading import read_json_value
from logger.keeping.retention import RulesStore, read_rules, rules_as_json


def retention_blueprint(rules: RulesStore) -> Blueprint:
    blueprint = Blueprint("retention", __name__)

    @blueprint.get("/api/v1/logs/retention")
    @access(Access.INTERNAL)
    def read() -> Response:
        return jsonify(rules_as_json(rules.load()))

    @blueprint.put("/api/v1/logs/retention")
    @access(Access.INTERNAL)
    def change() -> Response:
        """In force within a minute."""
        wanted = read_rules(read_json_value())
        rules.save(wanted)
        return jsonify(rules_as_json(wanted))

    return blueprint
