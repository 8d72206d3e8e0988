"""A mail as a person reads it: who wrote what to whom, which part is the text, which the page, which a file."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from email.message import Message as MimeMessage
from urllib.parse import unquote

from compose.mailbox import mime

# No two neighbouring repetitions can match the same text: mails are written by strangers, and may be large.
REMOTE = re.compile(
    r"""(?:\b(?:src|srcset|background|poster)\s*=\s*(?:["']\s*)?|url\(\s*(?:["']\s*)?"""
    r"""|<link\b[^<>]*?href\s*=\s*(?:["']\s*)?)(?:https?:)?//""",
    re.IGNORECASE,
)
CID = re.compile(r"""cid:([^"'\s)>]+)""", re.IGNORECASE)
# Browsers connect to the address of a frame before the content policy forbids to load it, so that the sender would
# learn when the mail is read. Under another name the element is nothing. (Seen with Chromium 156.)
FRAMES = re.compile(r"<(?=(?:iframe|frame|fencedframe|object|embed)[\s/>])", re.IGNORECASE)
PREAMBLE = re.compile(r"\s*(?:<!doctype[^>]*>)?\s*(?:<html[^>]*>)?\s*(?:<head(?:\s[^>]*)?>)?", re.IGNORECASE)
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the mail; `number` addresses it in links."""

    number: int
    media_type: str
    filename: str
    content_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail taken apart.

    `senders` and `receivers` are bare addresses. `html` is as it was sent: never show it outside the sandboxed frame.
    """

    headers: list[tuple[str, str]]
    subject: str
    author: str
    addressees: str
    copies: str
    date: str
    message_id: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    text: str
    html: str
    attachments: tuple[Part, ...]
    inline: tuple[Part, ...]

    @property
    def has_remote_content(self) -> bool:
        return REMOTE.search(self.html) is not None


def read(data: bytes) -> Reading:
    root = mime.parse(data)
    parts = list(enumerate(mime.leaves(root)))
    plain = _first(parts, "text/plain")
    page = _first(parts, "text/html")
    files = [part_of(leaf, number) for number, leaf in parts if leaf is not plain and leaf is not page]
    html = mime.text(page) if page else ""
    referenced = {unquote(name) for name in CID.findall(html)}
    return Reading(
        headers=mime.headers(root),
        subject=mime.header(root, "Subject"),
        author=mime.header(root, "From"),
        addressees=mime.header(root, "To"),
        copies=mime.header(root, "Cc"),
        date=mime.header(root, "Date"),
        message_id=bare_message_id(mime.header(root, "Message-ID")),
        senders=tuple(mime.addresses(root, "from", "sender", "reply-to")),
        receivers=tuple(mime.addresses(root, "to", "cc", "bcc")),
        text=mime.text(plain) if plain else "",
        html=html,
        attachments=tuple(part for part in files if part.content_id not in referenced),
        inline=tuple(part for part in files if part.content_id in referenced),
    )


def bare_message_id(value: str) -> str:
    """`<a@b>` and `a@b` name the same mail."""
    return value.strip().removeprefix("<").removesuffix(">")


def find_part(data: bytes, number: int) -> Part | None:
    parts = mime.leaves(mime.parse(data))
    return part_of(parts[number], number) if number < len(parts) else None


def framed_html(reading: Reading) -> str:
    """The HTML part ready for the frame: embedded pictures put in place, inner frames gone, links opening outside.

    The base element goes behind the doctype, because in front of it the page would be laid out in quirks mode.
    """
    pictures = {part.content_id: _data_url(part) for part in reading.inline}
    page = FRAMES.sub("<blocked-", CID.sub(lambda match: pictures.get(unquote(match[1]), match[0]), reading.html))
    preamble = PREAMBLE.match(page)
    cut = preamble.end() if preamble else 0
    return f'{page[:cut]}<base target="_blank">{page[cut:]}'


def _data_url(part: Part) -> str:
    return f"data:{part.media_type};base64,{b64encode(part.content).decode()}"


def _first(parts: list[tuple[int, MimeMessage]], media_type: str) -> MimeMessage | None:
    """The first part of that type which is meant to be read, not to be saved."""
    for _, leaf in parts:
        if leaf.get_content_type() == media_type and leaf.get_content_disposition() != "attachment":
            return leaf
    return None


def part_of(leaf: MimeMessage, number: int) -> Part:
    media_type = leaf.get_content_type()
    return Part(
        number=number,
        media_type=media_type if MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream",
        filename=_filename(leaf, number),
        content_id=bare_message_id(mime.header(leaf, "Content-ID")),
        content=mime.body(leaf),
    )


def _filename(leaf: MimeMessage, number: int) -> str:
    """The name the sender gave, without any path; control characters never reach a response header."""
    given = mime.readable(leaf.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in given if char.isprintable()).strip(" .")[:150]
    fallback = "message.eml" if leaf.get_content_type() == "message/rfc822" else f"part-{number}"
    return name or fallback
