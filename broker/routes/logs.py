"""/api/v1/logs: into the log store, one entry or many, and what is in it."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from broker.domain import Via
from broker.schemas import protocol, read_orders
from broker.service import BrokerService
from common.web.access import Access, access
from common.web.bulk import bulk_reply, give_ids, idempotency_key, read_bulk
from protos.limits import MAX_BULK_BODY, MAX_ENTRIES

# One call for a whole request, and answers that tell a duplicate.
DEFAULT_VIA = Via.GRPC


def logs_blueprint(service: BrokerService) -> Blueprint:
    blueprint = Blueprint("logs", __name__)

    @blueprint.post("/api/v1/logs")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def write() -> Response:
        via = protocol(request.args.get("via", DEFAULT_VIA))
        key = idempotency_key()
        bulk = read_bulk(max_body=MAX_BULK_BODY, max_items=MAX_ENTRIES)
        give_ids(bulk.items, key)
        return bulk_reply(service.log_many(read_orders(bulk.items), via), single=bulk.single)

    @blueprint.get("/api/v1/logs/<record_id>")
    @access(Access.OPEN_IN_DEVELOPMENT)
    def read(record_id: str) -> Response:
        return jsonify(service.find_log(record_id))

    return blueprint
