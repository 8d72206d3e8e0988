"""The JSON form of a mail that clients of MailHog know: its field names, its nesting, its undecoded bodies."""

from __future__ import annotations

import re
from datetime import datetime
from email.message import Message as MimeMessage
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

from compose.mailbox.message import Message

# Each level repeats the text of all below it.
MAX_DEPTH = 10
SERVER_NAME = "mailbox"


def as_json(message: Message) -> dict[str, Any]:
    source = message.data.decode("utf-8", "replace").removesuffix("\r\n")
    content = _content(source, depth=0)
    nested = content["MIME"]
    # The original keeps the tree of the outermost level beside its content, not inside.
    content["MIME"] = None
    _add_trace(content["Headers"], message)
    return {
        "ID": message.id,
        "From": path(message.sender),
        "To": [path(recipient) for recipient in message.recipients],
        "Content": content,
        "Created": timestamp(message.received),
        "MIME": nested,
        "Raw": {"From": message.sender, "To": list(message.recipients), "Data": source, "Helo": message.helo},
    }


def timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def path(address: str) -> dict[str, Any]:
    """An envelope address; a source route in front (RFC 5321, appendix C) becomes `Relays`."""
    route, colon, target = address.partition(":") if address.startswith("@") else ("", "", address)
    mailbox, _, domain = target.rpartition("@") if "@" in target else (target, "", "")
    return {"Relays": route.split(",") if colon else None, "Mailbox": mailbox, "Domain": domain, "Params": ""}


def _content(source: str, *, depth: int) -> dict[str, Any]:
    # A part without header fields begins with the empty line itself.
    head, blank, rest = ("", "\r\n", source[2:]) if source.startswith("\r\n") else source.partition("\r\n\r\n")
    fields = _fields(head) if blank else {}
    text = rest if blank else source
    kind = next((values[0] for name, values in fields.items() if name.lower() == "content-type"), "")
    nested = None
    if kind.lower().lstrip().startswith("multipart/") and depth < MAX_DEPTH:
        nested = {"Parts": [_content(part, depth=depth + 1) for part in _split(text, _boundary(kind))]}
    return {"Headers": fields, "Body": text, "Size": len(source.encode("utf-8")), "MIME": nested}


def _fields(head: str) -> dict[str, list[str]]:
    """Header fields by the name as written; repeated fields are all kept."""
    fields: dict[str, list[str]] = {}
    for line in re.sub(r"\r?\n(?=[ \t])", "", head).split("\r\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            fields.setdefault(name.strip(), []).append(value.strip())
    return fields


def _boundary(content_type: str) -> str:
    reader = MimeMessage()
    reader["Content-Type"] = content_type
    return reader.get_boundary("")


def _split(text: str, boundary: str) -> list[str]:
    """The parts between delimiter lines (RFC 2046, 5.1.1); a missing end delimiter is forgiven."""
    if not boundary:
        return []
    delimiter = re.compile(rf"(?:\A|\r\n)--{re.escape(boundary)}(--)?[ \t]*(?=\r\n|\Z)")
    marks = list(delimiter.finditer(text))
    parts = []
    for mark, following in pairwise([*marks, None]):
        if mark is None or mark[1]:
            break
        # Delimiter line and part are separated by one line end that belongs to neither.
        parts.append(text[mark.end() : following.start() if following else len(text)].removeprefix("\r\n"))
    return parts


def _add_trace(fields: dict[str, list[str]], message: Message) -> None:
    """The fields a receiving server adds (RFC 5321, 4.4), which tools read the envelope from."""
    received = f"from {message.helo} by {SERVER_NAME} id {message.id}; {format_datetime(message.received)}"
    known = {name.lower(): name for name in fields}
    fields.setdefault(known.get("received", "Received"), []).append(received)
    fields.setdefault(known.get("return-path", "Return-Path"), []).append(f"<{message.sender}>")
    if "message-id" not in known:
        fields["Message-ID"] = [f"<{message.id}@{SERVER_NAME}>"]
