"""A mail on the wire, read back by a parser of the standard library: header fields, bodies and attachments."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest

from mailer.domain import Address, Attachment, Bodies
from tests.mailer.sending import mail, send
from tests.mailer.smtp_server import Script


def read(script: Script):
    return email.message_from_bytes(script.mails[0], policy=email.policy.default)


def name_as_sent(script: Script) -> str:
    """The modern parser keeps the blanks between encoded words of a name, which RFC 2047, section 6.2, has readers drop."""
    name, _ = parseaddr(email.message_from_bytes(script.mails[0])["From"].replace("\r\n", ""))
    return str(make_header(decode_header(name)))


def test_header_fields_say_exactly_what_they_were_given():
    subject = "Grüße, «Welt» =?utf-8?q?x?= " * 6
    script = Script()

    send(
        script,
        mail(subject=subject, sender=Address("me@here.com", 'Smith, "Jo" Jöhn'), trace=(("X-Request-Id", "r1"),)),
    )

    got = read(script)
    assert got["Subject"] == subject
    assert got["From"].addresses[0].display_name == 'Smith, "Jo" Jöhn'
    assert got["From"].addresses[0].addr_spec == "me@here.com"
    assert got["To"] == "you@there.com"
    assert got["Date"].datetime == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert got["Message-ID"] == "<m1@mail.example>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["X-Request-Id"] == "r1"


@pytest.mark.parametrize(
    "name", ["Smith, John", 'The "real" me', "=?utf-8?q?x?=", pytest.param("Ä" * 100, id="long"), "a@b (c) <d>", ""]
)
@pytest.mark.parametrize("subject", ["", "short", "x" * 255, "  spaces  ", "=?utf-8?q?=0D=0ABcc:_x@y.z?="])
def test_names_and_subjects_survive_the_way(name, subject):
    script = Script()

    send(script, mail(subject=subject, sender=Address("me@here.com", name)))

    got = read(script)
    assert (name_as_sent(script), got["Subject"] or "") == (name, subject)
    assert got["Bcc"] is None
    assert [name for name, _ in got.items()].count("From") == 1


def test_every_line_is_short_ascii_whatever_the_mail_holds():
    script = Script()
    bodies = Bodies(html="<p>" + "ü" * 5000 + "</p>", text=".\nGrüße " + "x" * 5000)
    file = Attachment("Ä" * 100 + ".bin", "application/octet-stream", bytes(range(256)) * 100)

    send(script, mail(bodies=bodies, attachments=(file,), subject="ü" * 255))

    assert script.mails[0].isascii()
    assert max(len(line) for line in script.mails[0].splitlines()) < 998
    text, html = (read(script).get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert (
        text.replace("\r\n", "\n").rstrip("\n") == ".." + bodies.text[1:]
    )  # the doubled dot is SMTP's (RFC 5321, 4.5.2)
    assert html.rstrip() == bodies.html
    (attached,) = read(script).iter_attachments()
    assert attached.get_content() == file.data
    assert attached.get_filename() == file.filename
