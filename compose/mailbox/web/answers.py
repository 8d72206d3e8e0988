"""Answers several routes share: one mail or 404, a stream of many, a file that cannot do harm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from flask import Response
from werkzeug.exceptions import NotFound

from compose.mailbox import mailhog
from compose.mailbox.message import Message
from compose.mailbox.store import Store
from compose.mailbox.summary import Summary

FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def known_message(store: Store, message_id: str) -> Message:
    """Raises NotFound."""
    message = store.find(message_id)
    if message is None:
        raise NotFound("There is no mail with this id.")
    return message


def stream_array(store: Store, page: Iterable[Summary]) -> Iterator[str]:
    """A JSON array, one mail in memory at a time. A mail deleted meanwhile is left out."""
    yield "["
    separator = ""
    for summary in page:
        message = store.find(summary.id)
        if message is not None:
            yield separator + json.dumps(mailhog.as_json(message), ensure_ascii=False)
            separator = ","
    yield "]"


def download(content: bytes, *, media_type: str, filename: str) -> Response:
    """Always saved, never shown: an attached page would otherwise run as part of the mailbox."""
    response = Response(content, content_type=media_type)
    # RFC 6266: the plain form for old programs, the encoded one for every other script.
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
    )
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response
