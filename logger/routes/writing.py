"""Into the log store over HTTP, one entry or many."""

from __future__ import annotations

from flask import Blueprint, Response

from common.web.access import Access, access
from common.web.bulk import bulk_reply, give_ids, idempotency_key, read_bulk, told_where
from common.web.reading import read_json_value
from common.web.replies import envelope
from logger.schemas import read_draft, read_drafts
from logger.service import LogService
from protos.limits import MAX_BULK_BODY, MAX_ENTRIES


def writing_blueprint(service: LogService) -> Blueprint:
    blueprint = Blueprint("writing", __name__)

    # a line in the log for every line that is logged would be the larger part of all lines
    @blueprint.post("/log")
    @access(Access.INTERNAL, quiet=True)
    def write() -> Response:
        body = read_json_value()
        give_ids([body], idempotency_key())
        recorded = service.record(read_draft(body), door="http")
        return told_where(envelope("logged", {"id": recorded.id, "stored": recorded.place}), recorded.place)

    @blueprint.post("/api/v1/logs")
    @access(Access.INTERNAL, quiet=True)
    def write_many() -> Response:
        bulk = read_bulk(max_body=MAX_BULK_BODY, max_items=MAX_ENTRIES)
        give_ids(bulk.items, idempotency_key())
        return bulk_reply(service.record_many(read_drafts(bulk.items), door="http"), single=bulk.single)

    return blueprint
