"""A mail as Flask-Mail sends it, with header fields that hold exactly what they were given."""

from __future__ import annotations

from email import charset, policy
from email.header import Header
from email.message import Message as MimeMessage
from email.utils import format_datetime, formataddr

from flask_mail import Attachment as FlaskAttachment
from flask_mail import Message

from mailer.domain import Address, Attachment, Mail

# Flask-Mail would send UTF-8 as it is, which needs 8BITMIME on every hop, and lines of any length, where SMTP allows 998.
_QUOTED = charset.Charset("utf-8")
_QUOTED.body_encoding = charset.QP

# Flask-Mail takes no address that needs SMTPUTF8 and garbles names with a comma, so From and To are set here in its stead.
_STAND_IN = "stand-in@invalid"

_LONGEST_PLAIN_SUBJECT = 60


class OutgoingMessage(Message):  # type: ignore[misc]  # Flask-Mail is not followed by mypy
    """Must be built and turned into bytes inside an application context, as Flask-Mail demands."""

    def __init__(self, mail: Mail) -> None:
        super().__init__(
            subject=_subject(mail.subject),
            sender=_STAND_IN,
            recipients=[_STAND_IN],
            body=mail.bodies.text,
            html=mail.bodies.html,
            charset=_QUOTED,
            date=mail.date.timestamp(),
            attachments=[_attached(attachment) for attachment in mail.attachments],
            extra_headers={"Auto-Submitted": "auto-generated", **dict(mail.trace)},
            mail_options=["SMTPUTF8", "BODY=8BITMIME"] if mail.needs_smtputf8 else [],
        )
        self.mail = mail
        self.msgId = mail.message_id

    @property
    def send_to(self) -> set[str]:
        return {self.mail.recipient.address}

    def as_bytes(self) -> bytes:
        built: MimeMessage = self._message()
        built.policy = policy.compat32  # takes folded values as they are
        for name, value in (
            ("From", _mailbox(self.mail.sender)),
            ("To", _mailbox(self.mail.recipient)),
            ("Date", format_datetime(self.mail.date)),
        ):
            del built[name]
            built[name] = value
        built.policy = policy.SMTP.clone(refold_source="none", utf8=self.mail.needs_smtputf8)
        return built.as_bytes()


def _subject(text: str) -> str:
    plain = text.isascii() and "=?" not in text and len(text) <= _LONGEST_PLAIN_SUBJECT and text == text.strip()
    return text if plain else _encoded(text, "Subject")


def _mailbox(address: Address) -> str:
    if address.name.isascii() and "=?" not in address.name:
        return formataddr((address.name, address.address)) if address.name else address.address
    return f"{_encoded(address.name, 'From')} <{address.address}>"


def _encoded(text: str, field: str) -> str:
    """RFC 2047 encoded words, folded so that Flask-Mail's look-out for injected headers knows them as one field."""
    return Header(text, "utf-8", header_name=field).encode(linesep="\r\n")


def _attached(attachment: Attachment) -> FlaskAttachment:
    """Flask-Mail names the charset of a file name `UTF8`, which is none (RFC 2231 wants a registered name)."""
    shell = MimeMessage()
    shell.add_header("Content-Disposition", "attachment", filename=attachment.filename)
    return FlaskAttachment(
        content_type=attachment.content_type,
        data=attachment.data,
        headers={"Content-Disposition": shell["Content-Disposition"]},
    )
