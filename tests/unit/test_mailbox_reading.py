"""How the development mailbox takes mails apart, above all those nobody should have sent."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose.mailbox import mailhog, reading
from compose.mailbox.message import Message
from compose.mailbox.summary import summarize

PIXEL = b"\x89PNG\r\n\x1a\n"


def mail_with(html: str, *, picture_id: str = "<logo@example.com>") -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "Hi"
    mail.set_content("Plain")
    mail.add_alternative(html, subtype="html")
    mail.get_payload()[1].add_related(PIXEL, "image", "png", cid=picture_id)
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Übersicht.pdf")
    return mail.as_bytes()


@pytest.mark.parametrize(
    ("source", "subject"),
    [
        (b"Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n\r\n", "Grüße"),
        ("Subject: Grüße\r\n\r\n".encode(), "Grüße"),
        (b"Subject: =?no-such-charset?q?x?=\r\n\r\n", "=?no-such-charset?q?x?="),
        (b"Subject: =?utf-8?b?!!!?=\r\n\r\n", "=?utf-8?b?!!!?="),
        (b"Subject: folded\r\n over lines\r\n\r\n", "folded over lines"),
        (b"no header at all", ""),
    ],
)
def test_subjects_are_readable_and_broken_ones_are_shown_as_they_came(source: bytes, subject: str):
    assert reading.read(source).subject == subject


def test_text_page_files_and_embedded_pictures_are_told_apart():
    found = reading.read(mail_with('<p>Page</p><img src="cid:logo@example.com">'))

    assert found.text.strip() == "Plain"
    assert "<p>Page</p>" in found.html
    assert [part.filename for part in found.attachments] == ["Übersicht.pdf"]
    assert [part.media_type for part in found.inline] == ["image/png"]


def test_a_picture_the_page_does_not_show_is_offered_as_a_file():
    found = reading.read(mail_with("<p>No picture</p>"))

    assert [part.media_type for part in found.attachments] == ["image/png", "application/pdf"]


def test_embedded_pictures_are_put_into_the_page_and_links_open_outside_of_it():
    found = reading.read(
        mail_with('<!doctype html><html><head><title>t</title></head><img src="cid:logo@example.com">')
    )

    page = reading.framed_html(found)

    assert page.startswith('<!doctype html><html><head><base target="_blank"><title>')
    assert '<img src="data:image/png;base64,iVBORw0KGgo=">' in page


@pytest.mark.parametrize(
    "html", ["<iframe src=x>", "<IFRAME\nsrc=x>", "<object/data=x>", "<ifr<iframe>ame src=x>", "<embed>"]
)
def test_no_frame_within_the_page_keeps_its_name(html: str):
    page = reading.framed_html(reading.read(mail_with(html))).lower()

    assert not any(f"<{name}" in page for name in ("iframe", "object", "embed"))


@pytest.mark.parametrize(
    "html",
    [
        '<img src="https://example.com/a.gif">',
        "<img src=//example.com/a.gif>",
        '<td background="http://example.com/a.gif">',
        "<p style=\"background:url('https://example.com/a.gif')\">",
        '<link rel="stylesheet" href="https://example.com/a.css">',
    ],
)
def test_remote_content_is_noticed(html: str):
    assert reading.read(mail_with(html)).has_remote_content


def test_a_link_is_not_remote_content():
    assert not reading.read(mail_with('<a href="https://example.com">x</a>')).has_remote_content


def test_a_file_name_loses_its_path_and_its_control_characters():
    source = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/x; a\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''..%2F..%2Fetc%2Fpass%0D%0Awd\r\n\r\nx\r\n--b--\r\n"
    )

    (part,) = reading.read(source).attachments

    assert part.filename == "passwd"


def test_a_mail_nested_beyond_reason_is_still_listed_by_its_subject():
    levels = [f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(3_000)]
    source = "Subject: deep\r\n" + "".join(levels) + "\r\ncore\r\n"

    message = Message(helo="", sender="", recipients=(), data=source.encode())

    assert summarize(message)[0].subject == "deep"
    assert mailhog.as_json(message)["Content"]["Headers"]["Subject"] == ["deep"]


def test_the_snippet_of_a_page_leaves_out_what_nobody_sees():
    source = b"Content-Type: text/html\r\n\r\n<style>p{}</style><!-- no --><p>Yes &amp; more</p>"

    summary, _ = summarize(Message(helo="", sender="", recipients=(), data=source))

    assert summary.snippet == "Yes & more"


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(
            [
                b"\r\n",
                b"\r\n\r\n",
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/html; charset=\xff\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Disposition: attachment; filename*=x''%\xff\r\n",
                b"Content-ID: <\r\n",
                b"Subject: =?utf-8?q?=F\r\n",
                b"From: \xff <,;:@>\r\n",
                b"--b\r\n",
                b"--b--\r\n",
            ]
        ),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_no_bytes_whatever_stop_a_mail_from_being_read(pieces: list[bytes]):
    message = Message(helo="", sender="", recipients=(), data=b"".join(pieces))

    found = reading.read(message.data)

    reading.framed_html(found)
    mailhog.as_json(message)
    assert summarize(message)[0].size == len(message.data)
