"""Reads mail that may be broken in any way: every function here returns something, whatever the bytes are."""

from __future__ import annotations

import email
import logging
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message as MimeMessage
from email.policy import Compat32
from email.utils import getaddresses

log = logging.getLogger(__name__)

# Nobody reads more of one header field than this.
MAX_HEADER_CHARS = 16_384
MAX_ADDRESS_FIELDS = 50


class ShortHeaders(Compat32):
    """Cuts header fields while they are read; the standard parser of parameters is quadratic in their length, too."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER_CHARS]


POLICY = ShortHeaders()


def parse(data: bytes) -> MimeMessage:
    """Parse a mail; one nested too deeply for the parser is read as a single plain part."""
    try:
        return email.message_from_bytes(data, policy=POLICY)
    except RecursionError:
        log.warning("mail is nested too deeply", extra={"size": len(data)})
        head, _, body = data.partition(b"\r\n\r\n")
        flat = email.message_from_bytes(head + b"\r\n\r\n", policy=POLICY)
        del flat["Content-Type"]
        flat.set_payload(body.decode("utf-8", "replace"))
        return flat


def headers(part: MimeMessage) -> list[tuple[str, str]]:
    """All header fields in their order, unfolded and with encoded words made readable."""
    return [(name, readable(value)) for name, value in part.raw_items()]


def header(part: MimeMessage, name: str) -> str:
    """The first field of that name, or an empty string."""
    return next((readable(value) for key, value in part.raw_items() if key.lower() == name.lower()), "")


def readable(value: object) -> str:
    """Decode one header value: raw UTF-8 (RFC 6532) and encoded words (RFC 2047)."""
    raw = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = "".join(raw.splitlines()).strip()
    if "=?" not in unfolded:
        return unfolded
    try:
        # An encoded word that decodes to nothing is broken, too.
        return str(make_header(decode_header(unfolded))) or unfolded
    except (HeaderParseError, LookupError, ValueError):
        return unfolded


def addresses(part: MimeMessage, *names: str) -> list[str]:
    """The bare addresses in the named header fields."""
    fields = [str(value) for key, value in part.raw_items() if key.lower() in names]
    try:
        return [readable(address) for _, address in getaddresses(fields[:MAX_ADDRESS_FIELDS]) if address]
    except RecursionError:  # comments in comments in comments
        return []


def body(part: MimeMessage) -> bytes:
    """The content of a leaf with its transfer encoding undone; a whole forwarded mail keeps its source form."""
    if part.is_multipart():
        return b"\r\n".join(_source(child) for child in children(part))
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _source(part: MimeMessage) -> bytes:
    try:
        return part.as_bytes()
    except (LookupError, ValueError, TypeError):
        return str(part.get_payload()).encode("utf-8", "surrogateescape")


def text(part: MimeMessage) -> str:
    """The content of a leaf as text in the character set it names, or in UTF-8 when that is not known."""
    content = body(part)
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def children(part: MimeMessage) -> list[MimeMessage]:
    """The direct parts; none for a leaf."""
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, MimeMessage)] if isinstance(payload, list) else []


def leaves(root: MimeMessage) -> list[MimeMessage]:
    """The parts that hold content, in the order of the mail. A forwarded mail counts as one part."""
    found: list[MimeMessage] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting.extend(reversed(children(part)))
        else:
            found.append(part)
    return found
