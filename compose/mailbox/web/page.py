"""The page and what its script asks for. Mail content leaves here only sandboxed, as text, or as a download."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from werkzeug.exceptions import NotFound

from compose.mailbox import criteria, mailhog, reading
from compose.mailbox.message import Message, storable
from compose.mailbox.reading import Part
from compose.mailbox.store import Store
from compose.mailbox.summary import Summary
from compose.mailbox.web import query
from compose.mailbox.web.answers import download, known_message
from compose.mailbox.web.patience import Patience

LONGEST_LIST = 5_000
LONGEST_WAIT = 30.0
# `sandbox` without scripts also stops forms and redirects; nothing is loaded from anywhere but this mail itself.
FRAME_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def create_blueprint(store: Store, *, smtp_address: str) -> Blueprint:
    pages = Blueprint("page", __name__)
    _add_list(pages, store, smtp_address=smtp_address)
    _add_message(pages, store)
    return pages


def _add_list(pages: Blueprint, store: Store, *, smtp_address: str) -> None:
    patience = Patience()

    @pages.get("/")
    def index() -> Response:
        return current_app.send_static_file("index.html")

    @pages.get("/api/page/messages")
    def messages() -> Response:
        piece = query.text("query")
        wanted = criteria.anywhere(piece) if piece else criteria.EVERYTHING
        # Taken first: a mail that arrives in between is then announced once more, and never missed.
        revision = store.revision
        total, found = store.list_summaries(
            wanted,
            start=query.number("start", default=0),
            limit=query.number("limit", default=100, largest=LONGEST_LIST),
        )
        return jsonify(revision=revision, smtp=smtp_address, total=total, items=[_line(summary) for summary in found])

    @pages.get("/api/page/changes")
    def changes() -> Response:
        since = query.number("since", default=0, largest=10**18)
        timeout = query.seconds("timeout", default=25.0, largest=LONGEST_WAIT)
        with patience.taken():
            return jsonify(revision=store.wait_for_change(since, timeout=timeout))


def _add_message(pages: Blueprint, store: Store) -> None:
    @pages.get("/api/page/messages/<message_id>")
    def message(message_id: str) -> Response:
        return jsonify(_reading(known_message(store, message_id)))

    @pages.get("/messages/<message_id>/html")
    def html(message_id: str) -> Response:
        found = known_message(store, message_id)
        shown = reading.framed_html(reading.read(found.data))
        response = Response(storable(shown), mimetype="text/html")
        response.headers["Content-Security-Policy"] = FRAME_POLICY
        return response

    @pages.get("/messages/<message_id>/source")
    def source(message_id: str) -> Response:
        text = known_message(store, message_id).data.decode("utf-8", "replace")
        return Response(text, mimetype="text/plain")

    @pages.get("/messages/<message_id>/parts/<int:number>")
    def part(message_id: str, number: int) -> Response:
        found = reading.find_part(known_message(store, message_id).data, number)
        if found is None:
            raise NotFound("The mail has no part with this number.")
        return download(found.content, media_type=found.media_type, filename=found.filename)


def _line(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "received": mailhog.timestamp(summary.received)}


def _reading(message: Message) -> dict[str, Any]:
    found = reading.read(message.data)
    return {
        "id": message.id,
        "received": mailhog.timestamp(message.received),
        "size": len(message.data),
        "envelope": {"from": message.sender, "to": message.recipients, "helo": message.helo},
        "subject": storable(found.subject),
        "author": storable(found.author or message.sender),
        "addressees": storable(found.addressees or ", ".join(message.recipients)),
        "copies": storable(found.copies),
        "headers": [[storable(name), storable(value)] for name, value in found.headers],
        "text": storable(found.text),
        "has_html": bool(found.html),
        "has_remote_content": found.has_remote_content,
        "attachments": [_file(part) for part in found.attachments],
    }


def _file(part: Part) -> dict[str, Any]:
    return {"number": part.number, "name": part.filename, "media_type": part.media_type, "size": len(part.content)}
