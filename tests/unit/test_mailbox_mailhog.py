"""The JSON form that clients of MailHog read: names, nesting, undecoded bodies."""

from __future__ import annotations

from datetime import UTC, datetime

from compose.mailbox.mailhog import as_json, path
from compose.mailbox.message import Message

NESTED = (
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@example.com>\r\n"
    b"X-Tag: one\r\n"
    b"X-Tag: two\r\n"
    b'Content-Type: multipart/mixed;\r\n boundary="outer"\r\n'
    b"\r\n"
    b"preamble\r\n"
    b"--outer\r\n"
    b"Content-Type: multipart/alternative; boundary=inner\r\n\r\n"
    b"--inner\r\nContent-Type: text/plain\r\n\r\nplain=20text\r\n"
    b"--inner\r\nContent-Type: text/html\r\n\r\n<p>page</p>\r\n"
    b"--inner--\r\n"
    b"--outer\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n"
    b"--outer--\r\n"
)


def message(data: bytes = NESTED, *, sender: str = "ann@example.com") -> Message:
    received = datetime(2026, 11, 21, 4, 5, 6, 123456, tzinfo=UTC)
    return Message(
        helo="laptop", sender=sender, recipients=("bob@example.com",), data=data, id="f00", received=received
    )


def test_the_outer_form_has_exactly_the_names_of_mailhog():
    shown = as_json(message())

    assert list(shown) == ["ID", "From", "To", "Content", "Created", "MIME", "Raw"]
    assert list(shown["Content"]) == ["Headers", "Body", "Size", "MIME"]
    assert shown["Raw"] == {
        "From": "ann@example.com",
        "To": ["bob@example.com"],
        "Data": NESTED.decode().removesuffix("\r\n"),
        "Helo": "laptop",
    }
    assert shown["Created"] == "2026-11-21T04:05:06.123456Z"
    assert shown["From"] == {"Relays": None, "Mailbox": "ann", "Domain": "example.com", "Params": ""}


def test_parts_nest_and_keep_their_bodies_encoded():
    shown = as_json(message())

    alternative, attached = shown["MIME"]["Parts"]

    assert shown["Content"]["MIME"] is None
    assert [part["Body"] for part in alternative["MIME"]["Parts"]] == ["plain=20text", "<p>page</p>"]
    assert (attached["Body"], attached["MIME"]) == ("AAEC", None)


def test_header_values_stay_encoded_and_repeated_ones_are_all_kept():
    fields = as_json(message())["Content"]["Headers"]

    assert fields["Subject"] == ["=?utf-8?q?Gr=C3=BC=C3=9Fe?="]
    assert fields["X-Tag"] == ["one", "two"]
    assert fields["Content-Type"] == ['multipart/mixed; boundary="outer"']


def test_the_envelope_is_added_as_a_receiving_server_does():
    fields = as_json(message())["Content"]["Headers"]

    assert fields["Return-Path"] == ["<ann@example.com>"]
    assert fields["Received"][0].startswith("from laptop by ")
    assert fields["Message-ID"] == ["<1@example.com>"]


def test_a_mail_without_header_fields_is_all_body():
    shown = as_json(message(b"just text\r\n"))

    assert shown["Content"]["Body"] == "just text"
    assert shown["MIME"] is None
    assert shown["Content"]["Headers"]["Message-ID"] == ["<f00@mailbox>"]


def test_a_bounce_has_an_empty_sender():
    assert as_json(message(sender=""))["From"] == {"Relays": None, "Mailbox": "", "Domain": "", "Params": ""}


def test_a_source_route_becomes_relays():
    assert path("@a.example,@b.example:c@d.example") == {
        "Relays": ["@a.example", "@b.example"],
        "Mailbox": "c",
        "Domain": "d.example",
        "Params": "",
    }


def test_text_that_looks_like_a_delimiter_inside_a_line_splits_nothing():
    source = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee --b here\r\n--bc\r\n--b--\r\n"

    (part,) = as_json(message(source))["MIME"]["Parts"]

    assert part["Body"] == "see --b here\r\n--bc"
