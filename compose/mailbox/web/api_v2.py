"""Version 2 of MailHog's API: pages and searches; and waiting for a mail, which MailHog's clients have to poll for."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import BadRequest, RequestTimeout

from compose.mailbox import criteria, mailhog
from compose.mailbox.criteria import Criteria
from compose.mailbox.store import Store
from compose.mailbox.web import query
from compose.mailbox.web.answers import stream_array
from compose.mailbox.web.patience import Patience

DEFAULT_PAGE = 50
LARGEST_PAGE = 250
LONGEST_WAIT = 60.0
SEARCHES = {"from": criteria.sent_by, "to": criteria.sent_to, "containing": criteria.containing}


def create_blueprint(store: Store) -> Blueprint:
    api = Blueprint("api_v2", __name__, url_prefix="/api/v2")
    patience = Patience()

    @api.get("/messages")
    def messages() -> Response:
        return _page(store, criteria.EVERYTHING)

    @api.get("/search")
    def search() -> Response:
        matching = SEARCHES.get(query.text("kind"))
        piece = query.text("query")
        if matching is None:
            raise BadRequest("kind must be from, to or containing.")
        if not piece:
            raise BadRequest("query must not be empty.")
        return _page(store, matching(piece))

    @api.get("/wait")
    def wait() -> Response:
        wanted = criteria.awaited(
            to=query.text("to"), subject=query.text("subject"), message_id=query.text("message_id")
        )
        timeout = query.seconds("timeout", default=10.0, largest=LONGEST_WAIT)
        with patience.taken():
            found = store.wait_for(wanted, timeout=timeout)
        if found is None:
            raise RequestTimeout("No such mail came in time.")
        return jsonify(mailhog.as_json(found))

    return api


def _page(store: Store, wanted: Criteria) -> Response:
    start = query.number("start", default=0)
    limit = query.number("limit", default=DEFAULT_PAGE, largest=LARGEST_PAGE)
    total, page = store.list_summaries(wanted, start=start, limit=limit)

    def stream() -> Iterator[str]:
        yield json.dumps({"total": total, "count": len(page), "start": start})[:-1] + ', "items": '
        yield from stream_array(store, page)
        yield "}"

    return Response(stream(), mimetype="application/json")
