"""SMTP with an end: smtplib limits each wait, which a server that drips bytes stretches for ever; here a whole phase has one limit."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# A TLS socket counts its time limit per piece it sends, not per call.
_PIECE = 16 * 1024


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """Where and as whom to hand mail in. `encryption`: tls is STARTTLS, ssl is TLS from the first byte.

    `own_name` is what this side calls itself in EHLO; without it smtplib asks DNS for each session.
    """

    host: str
    port: int
    own_name: str
    encryption: Literal["none", "tls", "ssl"] = "none"
    username: str = ""
    password: str = ""
    trust: ssl.SSLContext | None = None
    """Certificates to believe; None means the machine's own list."""

    def __repr__(self) -> str:
        return f"SmtpAccount({self.encryption})"


class SmtpSession(smtplib.SMTP):
    """A session whose phases end in time. `allow` begins the next phase; the constructor connects within the first one."""

    def __init__(self, host: str, port: int, *, seconds: float, **options: Any) -> None:  # noqa: ANN401 - smtplib's own
        self.allow(seconds)
        super().__init__(host, port, timeout=seconds, **options)

    def allow(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left in this phase. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the phase is over")
        return left

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Reader(self, self.sock))
        return super().getreply()

    def send(self, s: ReadableBuffer | str) -> None:
        data = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        for start in range(0, len(data), _PIECE):
            if self.sock is not None:
                self.sock.settimeout(self.remaining())
            super().send(data[start : start + _PIECE])


class TlsSmtpSession(SmtpSession, smtplib.SMTP_SSL):
    """The same inside TLS from the first byte."""


class _Reader(io.RawIOBase):
    """Reads a session's socket with the time that the session has left."""

    def __init__(self, session: SmtpSession, sock: socket.socket) -> None:
        self._session = session
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._sock.settimeout(self._session.remaining())
        return self._sock.recv_into(buffer)


def connect(account: SmtpAccount, *, seconds: float) -> SmtpSession:
    """A session after EHLO. Raises OSError or smtplib.SMTPException."""
    options: dict[str, Any] = {"local_hostname": account.own_name}
    if account.encryption == "ssl":
        session: SmtpSession = TlsSmtpSession(
            account.host, account.port, seconds=seconds, context=_trust(account), **options
        )
    else:
        session = SmtpSession(account.host, account.port, seconds=seconds, **options)
    try:
        if (
            session.sock is not None
        ):  # the last piece of a mail should not wait for the server to confirm the one before
            session.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session.ehlo_or_helo_if_needed()
    except BaseException:
        session.close()
        raise
    return session


def secure(session: SmtpSession, account: SmtpAccount) -> None:
    """STARTTLS and login, as far as the account asks for them. Raises OSError or smtplib.SMTPException."""
    if account.encryption == "tls":
        session.starttls(context=_trust(account))
        session.ehlo_or_helo_if_needed()
    if account.username:
        session.login(account.username, account.password)


def say_goodbye(session: SmtpSession, *, seconds: float) -> None:
    """Never raises: what the server did with the mail is settled by now."""
    try:
        session.allow(seconds)
        session.quit()
    except (OSError, smtplib.SMTPException):
        session.close()


def _trust(account: SmtpAccount) -> ssl.SSLContext:
    return account.trust or ssl.create_default_context()
