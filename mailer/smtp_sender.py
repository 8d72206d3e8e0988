"""The way out: Flask-Mail over an SMTP session with time limits, one session for each mail."""

from __future__ import annotations

import logging
import smtplib
from types import TracebackType
from typing import Self

from flask import Flask
from flask_mail import BadHeaderError, Connection, email_dispatched
from flask_mail import Mail as FlaskMail

from common.errors import InvalidError, Problem
from mailer.domain import Mail
from mailer.outgoing import OutgoingMessage
from mailer.smtp_errors import as_app_error
from mailer.smtp_session import SmtpAccount, SmtpSession, connect, say_goodbye, secure

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
SEND_SECONDS = 10.0
GOODBYE_SECONDS = 1.0


class SmtpSender:
    """`Sender` over SMTP. `app` is what Flask-Mail keeps its state in; no request needs to be under way.

    Connecting, with greeting, STARTTLS and login, has `connect_seconds`, handing over `send_seconds`.
    """

    def __init__(
        self,
        app: Flask,
        account: SmtpAccount,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._app = app
        self._mail = _TimedMail(app, account, connect_seconds=connect_seconds, send_seconds=send_seconds)

    def send(self, mail: Mail) -> None:
        try:
            with self._app.app_context():
                self._mail.send(OutgoingMessage(mail))
        except (OSError, smtplib.SMTPException) as error:
            log.warning("smtp_failed", extra={"mail_id": mail.id, "reason": type(error).__name__})
            # No cause: smtplib's texts hold addresses, and causes are logged.
            raise as_app_error(error) from None


class _TimedMail(FlaskMail):  # type: ignore[misc]  # Flask-Mail is not followed by mypy
    def __init__(self, app: Flask, account: SmtpAccount, *, connect_seconds: float, send_seconds: float) -> None:
        super().__init__(app)
        self._account = account
        self._connect_seconds = connect_seconds
        self._send_seconds = send_seconds

    def connect(self) -> Connection:
        return _TimedConnection(
            self, self._account, connect_seconds=self._connect_seconds, send_seconds=self._send_seconds
        )


class _TimedConnection(Connection):  # type: ignore[misc]  # Flask-Mail is not followed by mypy
    host: SmtpSession

    def __init__(self, mail: FlaskMail, account: SmtpAccount, *, connect_seconds: float, send_seconds: float) -> None:
        super().__init__(mail)
        self._account = account
        self._connect_seconds = connect_seconds
        self._send_seconds = send_seconds

    def configure_host(self) -> SmtpSession:
        session = connect(self._account, seconds=self._connect_seconds)
        try:
            secure(session, self._account)
        except BaseException:
            session.close()
            raise
        return session

    def __enter__(self) -> Self:
        """Always connects: Flask-Mail's switch that only pretends to send would make "sent" a lie."""
        self.host = self.configure_host()
        return self

    def send(self, message: OutgoingMessage, envelope_from: str | None = None) -> None:
        if message.has_bad_headers():
            raise BadHeaderError
        if message.mail.needs_smtputf8 and not self.host.has_extn("smtputf8"):
            raise _not_understood(message.mail)
        self.host.allow(self._send_seconds)
        self.host.sendmail(
            envelope_from or message.mail.sender.address,
            list(message.send_to),
            message.as_bytes(),
            message.mail_options,
        )
        email_dispatched.send(self.mail.app, message=message)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        say_goodbye(self.host, seconds=GOODBYE_SECONDS)


def _not_understood(mail: Mail) -> InvalidError:
    message = "the mail server takes only ASCII before the @ of an address"
    pointer = "#/to" if mail.recipient.needs_smtputf8 else "#/from"
    return InvalidError(message, problems=[Problem(pointer, message)])
