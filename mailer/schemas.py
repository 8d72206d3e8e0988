"""Requests at the HTTP edge. Nothing that could end a header line gets past this module."""

from __future__ import annotations

import binascii
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from common.web.reading import Body, Line, Text, one_line
from mailer.domain import (
    MAX_ATTACHMENTS,
    Attachment,
    Letter,
    Receipt,
    check_content_type,
    check_file_name,
    parse_address,
)

_NOT_BASE64 = "must be base64"


def _address(value: str) -> str:
    parse_address(value)
    return value


def _address_or_nothing(value: str) -> str:
    return _address(value) if value.strip() else ""


def _base64(value: str) -> str:
    _decoded(value)
    return value


def _decoded(value: str) -> bytes:
    """Line breaks are allowed, as the `base64` command and MIME put them."""
    text = "".join(value.split())
    try:
        if len(text) % 4 == 0 and not text.endswith("==="):
            return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise ValueError(_NOT_BASE64) from error
    raise ValueError(_NOT_BASE64)


# An address has at most 254 characters (RFC 5321, erratum 1690); the rest is for the name.
_Mailbox = Annotated[str, StringConstraints(max_length=512), AfterValidator(one_line)]
_LineOrNothing = Annotated[str, StringConstraints(max_length=255), AfterValidator(one_line)]


class AttachmentBody(Body):
    filename: Annotated[Line, AfterValidator(check_file_name)]
    content_type: Annotated[Line, AfterValidator(check_content_type)] = "application/octet-stream"
    content: Annotated[str, AfterValidator(_base64)]

    def attachment(self) -> Attachment:
        return Attachment(self.filename, self.content_type, _decoded(self.content))


class SendBody(Body):
    """`from`, `to`, `subject` and `message` as in the Go original, the rest additions. Only `to` is required."""

    sender: Annotated[_Mailbox, AfterValidator(_address_or_nothing)] = Field(default="", alias="from")
    to: Annotated[_Mailbox, AfterValidator(_address)]
    subject: _LineOrNothing = ""
    message: Text = ""
    from_name: _LineOrNothing = ""
    template: Line = "generic"
    attachments: list[AttachmentBody] = Field(default=[], max_length=MAX_ATTACHMENTS)

    def letter(self) -> Letter:
        return Letter(
            recipient=parse_address(self.to),
            subject=self.subject,
            text=self.message,
            sender=parse_address(self.sender) if self.sender else None,
            sender_name=self.from_name.strip(),
            template=self.template,
            attachments=tuple(body.attachment() for body in self.attachments),
        )


def receipt_as_json(receipt: Receipt) -> dict[str, object]:
    return {"id": receipt.id, "message_id": receipt.message_id}
