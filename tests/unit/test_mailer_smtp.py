"""The way out, over real sockets: what counts as sent, how each refusal is told, and that every wait ends."""

from __future__ import annotations

import time

import pytest

from common.errors import DeadlineError, InvalidError, UnavailableError
from mailer.domain import Address, Mail
from mailer.smtp_probe import FRESH_SECONDS, SmtpProbe
from mailer.smtp_sender import CONNECT_SECONDS, GOODBYE_SECONDS, SEND_SECONDS
from mailer.smtp_session import SmtpAccount
from tests.mailer.sending import mail, send, sender_for
from tests.mailer.smtp_server import (
    DRIP,
    HANG_UP,
    LATE,
    LATE_SECONDS,
    SILENCE,
    Script,
    scripted_server,
    trusting_context,
)


def failure_of(script: Script, kind, what: Mail | None = None, **options):
    with pytest.raises(kind) as caught:
        send(script, what, **options)
    return caught.value


def test_a_mail_is_handed_over_in_one_session_under_our_own_name():
    script = Script()

    send(script)

    assert script.heard[0] == "ehlo mail.example"
    assert script.heard[1].startswith("mail FROM:<me@here.com>")
    assert script.heard[2:] == ["rcpt TO:<you@there.com>", "data", "quit"]
    assert len(script.mails) == 1


def test_a_failed_goodbye_does_not_undo_what_was_sent():
    script = Script(replies={"QUIT": HANG_UP})

    send(script)

    assert len(script.mails) == 1


@pytest.mark.parametrize(
    ("replies", "kind", "pointer", "message"),
    [
        (
            {"RCPT": "550 5.1.1 <you@there.com> unknown"},
            InvalidError,
            "#/to",
            "the mail server refused the recipient: there is no such mailbox (550 5.1.1)",
        ),
        (
            {"RCPT": "553 no"},
            InvalidError,
            "#/to",
            "the mail server refused the recipient: the address is not accepted (553)",
        ),
        (
            {"MAIL": "550 5.7.1 not yours"},
            InvalidError,
            "#/from",
            "the mail server refused the sender: its policy does not allow it (550 5.7.1)",
        ),
        (
            {"DATA-END": "554 5.6.0 spam"},
            InvalidError,
            "#/message",
            "the mail server refused the mail: the mail is not accepted (554 5.6.0)",
        ),
        (
            {"DATA-END": "599 what"},
            InvalidError,
            "#/message",
            "the mail server refused the mail: it gave no known reason (599)",
        ),
        (
            {"RCPT": "450 4.2.0 greylisted you@there.com"},
            UnavailableError,
            None,
            "the mail server does not take the mail now (450 4.2.0)",
        ),
        ({"MAIL": "421 closing"}, UnavailableError, None, "the mail server does not take the mail now (421)"),
        ({"DATA-END": "451 later"}, UnavailableError, None, "the mail server does not take the mail now (451)"),
        (
            {"MAIL": "530 5.7.0 authentication required"},
            UnavailableError,
            None,
            "the mail server does not accept this system's credentials",
        ),
        ({"DATA-END": HANG_UP}, UnavailableError, None, "the mail server cannot be reached"),
        ({"BANNER": "554 go away"}, UnavailableError, None, "the mail server cannot be reached"),
        ({"BANNER": "HTTP/1.1 400 Bad Request"}, UnavailableError, None, "the mail server cannot be reached"),
    ],
)
def test_what_smtp_did_not_accept_is_told_by_its_kind(replies, kind, pointer, message):
    error = failure_of(Script(replies=replies), kind)

    assert error.message == message
    assert [problem.pointer for problem in error.problems] == ([pointer] if pointer else [])
    assert (error.retry_after is not None) == (kind is UnavailableError)


def test_the_servers_own_text_reaches_neither_the_caller_nor_the_log(caplog):
    error = failure_of(Script(replies={"RCPT": "450 4.2.0 try you@there.com later"}), UnavailableError)

    assert error.__suppress_context__
    assert error.__cause__ is None
    assert "you@there.com" not in error.message + caplog.text + str([vars(record) for record in caplog.records])


def test_no_server_at_all_is_unavailable_and_worth_another_try():
    script = Script()
    with scripted_server(script):
        pass

    with pytest.raises(UnavailableError, match="cannot be reached") as caught:
        sender_for(script).send(mail())

    assert caught.value.retry_after == 5


@pytest.mark.parametrize("verb", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "DATA-END"])
@pytest.mark.parametrize("way", [SILENCE, DRIP])
def test_every_wait_ends_even_when_the_server_drips(verb, way):
    started = time.monotonic()

    error = failure_of(Script(replies={verb: way}), DeadlineError, seconds=0.15)

    assert error.message == "the mail server did not answer in time"
    assert time.monotonic() - started < 3


def test_connecting_and_handing_over_have_a_limit_each():
    script = Script(replies={"BANNER": LATE, "DATA-END": LATE})

    send(script, seconds=LATE_SECONDS * 1.8)

    assert len(script.mails) == 1


def test_together_they_stay_below_what_callers_of_the_original_wait():
    assert (CONNECT_SECONDS, SEND_SECONDS) == (10.0, 10.0)
    assert CONNECT_SECONDS + SEND_SECONDS + GOODBYE_SECONDS < 30


def test_a_silent_goodbye_costs_little():
    script = Script(replies={"QUIT": SILENCE})
    started = time.monotonic()

    send(script)

    assert len(script.mails) == 1
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(("tls", "encryption"), [("starttls", "tls"), ("ssl", "ssl")])
def test_mail_goes_encrypted_to_a_server_whose_certificate_is_trusted(tls, encryption):
    script = Script(tls=tls)

    send(script, encryption=encryption, trust=trusting_context())

    assert script.secured == 1
    assert len(script.mails) == 1


@pytest.mark.parametrize(("tls", "encryption"), [("starttls", "tls"), ("ssl", "ssl")])
def test_a_certificate_that_nobody_vouches_for_is_refused(tls, encryption):
    script = Script(tls=tls)

    error = failure_of(script, UnavailableError, encryption=encryption)

    assert error.message == "no trusted connection to the mail server can be made"
    assert script.mails == []


def test_a_certificate_for_another_name_is_refused():
    script = Script(tls="starttls")

    failure_of(script, UnavailableError, encryption="tls", host="127.0.0.1", trust=trusting_context())

    assert script.mails == []


def test_a_server_without_starttls_gets_nothing_in_the_clear():
    script = Script()

    error = failure_of(script, UnavailableError, encryption="tls", trust=trusting_context())

    assert error.message == "no trusted connection to the mail server can be made"
    assert not any(line.lower().startswith("mail") for line in script.heard)


def test_credentials_are_given_after_the_connection_is_encrypted():
    script = Script(tls="starttls", offers=("8BITMIME", "AUTH PLAIN"))

    send(script, encryption="tls", trust=trusting_context(), username="user", password="secret")

    verbs = [line.split()[0].upper() for line in script.heard]
    assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    assert len(script.mails) == 1


def test_refused_credentials_are_this_systems_trouble_and_not_the_writers():
    script = Script(offers=("AUTH PLAIN",), replies={"AUTH": "535 5.7.8 wrong"})

    error = failure_of(script, UnavailableError, username="user", password="wrong")

    assert error.message == "the mail server does not accept this system's credentials"


def test_letters_beyond_ascii_before_the_at_go_where_smtputf8_is_offered():
    script = Script(offers=("8BITMIME", "SMTPUTF8"))

    send(script, mail(recipient=Address("jörg@there.com", "Jörg")))

    assert "SMTPUTF8" in script.heard[1]
    assert script.heard[2] == "rcpt TO:<jörg@there.com>"
    assert "<jörg@there.com>".encode() in script.mails[0]


def test_letters_beyond_ascii_before_the_at_are_refused_where_smtputf8_is_not_offered():
    error = failure_of(Script(), InvalidError, mail(recipient=Address("jörg@there.com")))

    assert error.problems[0].pointer == "#/to"
    assert error.message == "the mail server takes only ASCII before the @ of an address"


def test_the_probe_asks_again_only_after_five_seconds():
    now = [0.0]
    script = Script()
    with scripted_server(script):
        probe = SmtpProbe(SmtpAccount("127.0.0.1", script.port, "mail.example"), monotonic=lambda: now[0])
        probe()
        probe()
        now[0] = FRESH_SECONDS
        probe()

    assert script.connections == 2


def test_the_probe_says_down_without_an_address_and_within_its_second():
    started = time.monotonic()
    script = Script(replies={"EHLO": SILENCE})
    with scripted_server(script):
        probe = SmtpProbe(SmtpAccount("127.0.0.1", script.port, "mail.example"))
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"^the mail server does not answer$"):
                probe()

    assert script.connections == 1
    assert time.monotonic() - started < 2
