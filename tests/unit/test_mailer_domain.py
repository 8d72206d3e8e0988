"""Which addresses, names and types a mail may have."""

from __future__ import annotations

import pytest

from mailer.domain import Address, check_content_type, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("you@there.com", Address("you@there.com")),
        ("  you@there.com ", Address("you@there.com")),
        ("<you@there.com>", Address("you@there.com")),
        ("You <you@there.com>", Address("you@there.com", "You")),
        ("Dr. Jörg Müller <you@there.com>", Address("you@there.com", "Dr. Jörg Müller")),
        ('"Smith, \\"Jo\\" John" <you@there.com>', Address("you@there.com", 'Smith, "Jo" John')),
        ("me@mail.test", Address("me@mail.test")),
        ("Me@EXÄMPLE.com", Address("Me@xn--exmple-cua.com")),
        ("jörg@exämple.com", Address("jörg@xn--exmple-cua.com")),
        ("a+b.c_d@sub.there.co.uk", Address("a+b.c_d@sub.there.co.uk")),
    ],
)
def test_an_address_is_read_bare_or_with_a_name(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "you",
        "you@",
        "@there.com",
        "you@there",
        "you@there.com, me@here.com",
        "you@there.com me@here.com",
        "You <you@there.com> <me@here.com>",
        "me@here.com <you@there.com>",
        "Smith, John <you@there.com>",
        "You <>",
        "You <you@there.com",
        "you@there..com",
        "you@[127.0.0.1]",
        "you@-there.com",
        "yo\nu@there.com",
        "a" * 65 + "@there.com",
    ],
)
def test_what_is_not_one_address_is_refused(text):
    with pytest.raises(ValueError, match="must be one e-mail address"):
        parse_address(text)


def test_only_the_part_before_the_at_needs_smtputf8():
    assert parse_address("jörg@there.com").needs_smtputf8
    assert not parse_address("joerg@exämple.com").needs_smtputf8


@pytest.mark.parametrize("text", ["text/plain", "application/vnd.ms-excel", "image/svg+xml", "text/csv; charset=utf-8"])
def test_a_media_type_is_known_by_its_form(text):
    assert check_content_type(text) == text


@pytest.mark.parametrize(
    "text", ["", "text", "/plain", "text/", "a/b/c", "text/pl ain", "text/plain; a=b; c=d", "téxt/plain"]
)
def test_what_has_not_the_form_of_a_media_type_is_refused(text):
    with pytest.raises(ValueError, match="media type"):
        check_content_type(text)
