"""The mailer's configuration, under the names of the Go original."""

from __future__ import annotations

import pytest

from common.settings import load
from mailer.domain import Address, Origin
from mailer.settings import MailerSettings

# As the Go system's documents set them.
GO = {
    "MAIL_DOMAIN": "localhost",
    "MAIL_HOST": "mailhog",
    "MAIL_PORT": "1025",
    "MAIL_ENCRYPTION": "none",
    "MAIL_USERNAME": "",
    "MAIL_PASSWORD": "",
    "FROM_NAME": "John Smith",
    "FROM_ADDRESS": "john.smith@example.com",
}


def test_the_names_of_the_go_system_are_understood(monkeypatch):
    for name, value in GO.items():
        monkeypatch.setenv(name, value)

    settings = load(MailerSettings)

    assert (settings.mail_host, settings.mail_port, settings.mail_encryption) == ("mailhog", 1025, "none")
    assert settings.origin == Origin(Address("john.smith@example.com", "John Smith"), "localhost")


@pytest.mark.parametrize(("given", "meant"), [("TLS", "tls"), ("Ssl", "ssl"), ("", "none")])
def test_encryption_is_read_in_any_case(monkeypatch, given, meant):
    monkeypatch.setenv("MAIL_ENCRYPTION", given)

    assert load(MailerSettings).mail_encryption == meant


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAIL_ENCRYPTION", "starttls", "MAIL_ENCRYPTION"),
        ("MAIL_PORT", "0", "MAIL_PORT"),
        ("MAIL_DOMAIN", "mail example", "MAIL_DOMAIN"),
        ("MAIL_DOMAIN", "a>\r\nX: y", "MAIL_DOMAIN"),
        ("FROM_ADDRESS", "nobody", "FROM_ADDRESS"),
        ("FROM_ADDRESS", "Me <me@here.com>", "FROM_NAME"),
        ("FROM_NAME", "a\nb", "FROM_NAME"),
        ("MAIL_PASSWORD", "hunter2", "MAIL_USERNAME and MAIL_PASSWORD"),
        ("MAIL_TEMPLATES", "/no/such/folder", "MAIL_TEMPLATES"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named_but_not_shown(monkeypatch, capsys, name, value, said):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        load(MailerSettings)

    told = capsys.readouterr().err
    assert said in told
    assert "hunter2" not in told
