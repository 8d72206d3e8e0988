"""What the list shows and the search reads, worked out once when a mail arrives."""

from __future__ import annotations

import html
import logging
import re
from dataclasses import dataclass
from datetime import datetime

from compose.mailbox import reading
from compose.mailbox.message import Message, storable

log = logging.getLogger(__name__)

SNIPPET_CHARS = 160
SEARCHED_CHARS = 200_000
TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)[^<>]*>|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
INVISIBLE = frozenset({"style", "script", "head", "title"})


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list."""

    id: str
    received: datetime
    subject: str
    author: str
    addressees: str
    snippet: str
    attachments: int
    size: int


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """Case-folded text to search in. `senders` and `receivers` hold one name or bare address a line."""

    message_id: str
    subject: str
    senders: str
    receivers: str
    content: str


def summarize(message: Message) -> tuple[Summary, SearchTerms]:
    """Never refuses: a mail that cannot be read is still listed by its envelope."""
    try:
        found = reading.read(message.data)
    except Exception:  # the mail was written by a stranger, and a catcher takes every mail
        log.exception("mail cannot be read", extra={"mail_id": message.id})
        found = reading.read(b"\r\n")
    visible = visible_text(found)
    summary = Summary(
        id=message.id,
        received=message.received,
        subject=storable(found.subject),
        author=storable(found.author or message.sender),
        addressees=storable(found.addressees or ", ".join(message.recipients)),
        snippet=storable(visible[:SNIPPET_CHARS]),
        attachments=len(found.attachments),
        size=len(message.data),
    )
    return summary, SearchTerms(
        message_id=storable(found.message_id),
        subject=summary.subject.casefold(),
        senders=_lines([message.sender, *found.senders, found.author]),
        receivers=_lines([*message.recipients, *found.receivers, found.addressees, found.copies]),
        content=_lines([*(f"{name}: {value}" for name, value in found.headers), visible, found.html]),
    )


def visible_text(found: reading.Reading) -> str:
    source = found.text if found.text.strip() else html.unescape(_without_tags(found.html[:SEARCHED_CHARS]))
    return " ".join(source[:SEARCHED_CHARS].split())


def _without_tags(page: str) -> str:
    """Good enough for a line of preview, and linear in the length of any page."""
    pieces: list[str] = []
    hidden = ""
    end = 0
    for tag in TAG.finditer(page):
        if not hidden:
            pieces.append(page[end : tag.start()])
        end = tag.end()
        name = (tag[2] or "").lower()
        if hidden:
            hidden = "" if tag[1] and name == hidden else hidden
        elif not tag[1] and name in INVISIBLE:
            hidden = name
    return " ".join([*pieces, "" if hidden else page[end:]])


def _lines(values: list[str]) -> str:
    """Framed by line ends on both sides, so that a whole line can be asked for as well as a piece of one."""
    return storable("\n" + "\n".join(values)[:SEARCHED_CHARS] + "\n").casefold()
