"""Version 1 of MailHog's API: plain lists, single mails, deletion, downloads."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import NotFound

from compose.mailbox import mailhog, mime, reading
from compose.mailbox.criteria import EVERYTHING
from compose.mailbox.store import Store
from compose.mailbox.web.answers import download, known_message, stream_array

LONGEST_LIST = 1_000


def create_blueprint(store: Store) -> Blueprint:
    api = Blueprint("api_v1", __name__, url_prefix="/api/v1/messages")

    @api.get("")
    def messages() -> Response:
        _, page = store.list_summaries(EVERYTHING, start=0, limit=LONGEST_LIST)
        return Response(stream_array(store, page), mimetype="application/json")

    @api.delete("")
    def delete_all() -> Response:
        return jsonify(deleted=store.delete_all())

    @api.get("/<message_id>")
    def message(message_id: str) -> Response:
        return jsonify(mailhog.as_json(known_message(store, message_id)))

    @api.delete("/<message_id>")
    def delete_one(message_id: str) -> Response:
        if not store.delete(message_id):
            raise NotFound("There is no mail with this id.")
        return jsonify(deleted=1)

    @api.get("/<message_id>/download")
    def source(message_id: str) -> Response:
        found = known_message(store, message_id)
        return download(found.data, media_type="message/rfc822", filename=f"{found.id}.eml")

    @api.get("/<message_id>/mime/part/<int:number>/download")
    def part(message_id: str, number: int) -> Response:
        return _outer_part(known_message(store, message_id).data, number)

    return api


def _outer_part(data: bytes, number: int) -> Response:
    """Parts are counted as in the `MIME.Parts` of the mail: those of the outermost level."""
    root = mime.parse(data)
    parts = mime.children(root) if root.get_content_maintype() == "multipart" else []
    if number >= len(parts):
        raise NotFound("The mail has no part with this number.")
    chosen = reading.part_of(parts[number], number)
    return download(chosen.content, media_type=chosen.media_type, filename=chosen.filename)
