"""Sends a mail to a scripted server the way the mailer does."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask

from mailer.domain import Address, Bodies, Mail
from mailer.smtp_sender import SmtpSender
from mailer.smtp_session import SmtpAccount
from tests.mailer.smtp_server import Script, scripted_server


def mail(**changes) -> Mail:
    fields = {
        "id": "m1",
        "message_id": "<m1@mail.example>",
        "date": datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        "sender": Address("me@here.com", "Me"),
        "recipient": Address("you@there.com"),
        "subject": "Hi",
        "bodies": Bodies(html="<p>Hello</p>", text="Hello"),
        "attachments": (),
        "trace": (),
    }
    return Mail(**fields | changes)


def sender_for(script: Script, *, seconds: float = 5.0, **account) -> SmtpSender:
    fields = {"host": "localhost" if script.tls else "127.0.0.1", "port": script.port, "own_name": "mail.example"}
    return SmtpSender(Flask("test"), SmtpAccount(**fields | account), connect_seconds=seconds, send_seconds=seconds)


def send(script: Script, what: Mail | None = None, **options) -> None:
    with scripted_server(script):
        sender_for(script, **options).send(what or mail())
