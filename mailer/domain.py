"""What a mail is, and which addresses and attachments one may have. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from email_validator import EmailNotValidError, validate_email

MAX_ATTACHMENTS = 10
MAX_FILE_NAME_BYTES = 255
"""What file systems take; three times as much, percent-encoded, still fits one header line (RFC 5322, section 2.1.1)."""

_NAMED = re.compile(r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^"<>@,;]*?))\s*<(?P<address>[^<>]*)>""")
_CONTENT_TYPE = re.compile(
    r"""(?P<type>[a-z0-9][a-z0-9!#$&^_.+-]{0,126})/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}(\s*;\s*charset="?[a-z0-9_.:+-]{1,40}"?)?""",
    re.IGNORECASE | re.ASCII,
)
# Directional overrides make "exe.txt" out of "txt.exe" on the reader's screen.
_UNFIT_FOR_FILE_NAMES = re.compile(r"[/\\\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Address:
    """`address` is ASCII, its domain in IDNA form, unless the part before the @ needs SMTPUTF8 (RFC 6531)."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def needs_smtputf8(self) -> bool:
        return not self.address.isascii()


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as its writer asks for it. Without a sender it comes from this system's own address."""

    recipient: Address
    subject: str
    text: str
    sender: Address | None = None
    sender_name: str = ""
    template: str = "generic"
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """How this system signs: the sender of a letter that names none, and the right side of message ids."""

    sender: Address
    domain: str


@dataclass(frozen=True, slots=True)
class Bodies:
    """The same content twice."""

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to go. `message_id` has its angle brackets; `trace` holds headers that lead back to the request."""

    id: str
    message_id: str
    date: datetime
    sender: Address
    recipient: Address
    subject: str
    bodies: Bodies
    attachments: tuple[Attachment, ...]
    trace: tuple[tuple[str, str], ...]

    @property
    def needs_smtputf8(self) -> bool:
        return self.sender.needs_smtputf8 or self.recipient.needs_smtputf8


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the SMTP server took over."""

    id: str
    message_id: str


def parse_address(text: str) -> Address:
    """One address, bare or as `Name <address>`. Raises ValueError.

    Existence is not looked up, and names under `.test` (RFC 2606) are fit for development.
    """
    named = _NAMED.fullmatch(text.strip())
    name = _name_of(named) if named else ""
    try:
        checked = validate_email(
            named["address"] if named else text.strip(),
            check_deliverability=False,
            test_environment=True,
            strict=True,
        )
    except EmailNotValidError as error:
        raise ValueError(f"must be one e-mail address. {error}") from None
    return Address(checked.ascii_email or f"{checked.local_part}@{checked.ascii_domain}", name)


def _name_of(named: re.Match[str]) -> str:
    if named["quoted"] is not None:
        return re.sub(r"\\(.)", r"\1", named["quoted"]).strip()
    return named["plain"].strip()


def check_content_type(text: str) -> str:
    """`type/subtype`, with a charset or without. Raises ValueError.

    Composite types are refused: their parts may not be base64 (RFC 2045, section 6.4), which every attachment is.
    """
    match = _CONTENT_TYPE.fullmatch(text)
    if match is None:
        raise ValueError("must be a media type such as application/pdf")
    if match["type"].lower() in ("multipart", "message"):
        raise ValueError("must not be a multipart or message type")
    return text


def check_file_name(text: str) -> str:
    """Raises ValueError for what is no plain file name on some system."""
    if text in (".", "..") or _UNFIT_FOR_FILE_NAMES.search(text):
        raise ValueError("must be a file name without a path")
    if len(text.encode()) > MAX_FILE_NAME_BYTES:
        raise ValueError(f"must have at most {MAX_FILE_NAME_BYTES} bytes")
    return text
