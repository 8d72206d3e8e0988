"""What is in the log store, in numbers, over HTTP: counts, histograms and facets."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from common.clock import Clock
from common.web.access import Access, access
from logger.answers import count_as_json, facets_as_json, histogram_as_json
from logger.query.questions import read_count, read_facets, read_histogram
from logger.routes.query_string import query_values
from logger.search import LogSearch


def counting_blueprint(search: LogSearch, clock: Clock) -> Blueprint:
    blueprint = Blueprint("counting", __name__)

    @blueprint.get("/api/v1/logs/count")
    @access(Access.INTERNAL)
    def count() -> Response:
        wanted = read_count(query_values(), clock.now())
        return jsonify(count_as_json(wanted, search.count(wanted)))

    @blueprint.get("/api/v1/logs/histogram")
    @access(Access.INTERNAL)
    def histogram() -> Response:
        asked = read_histogram(query_values(), clock.now())
        return jsonify(histogram_as_json(asked, search.histogram(asked)))

    @blueprint.get("/api/v1/logs/facets")
    @access(Access.INTERNAL)
    def facets() -> Response:
        asked = read_facets(query_values(), clock.now())
        return jsonify(facets_as_json(asked.wanted, search.facets(asked)))

    return blueprint
