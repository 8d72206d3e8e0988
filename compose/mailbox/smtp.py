"""The SMTP door. It says yes to every sender, recipient and password, because nothing ever leaves this machine."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import Executor

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from compose.mailbox.message import Message, storable
from compose.mailbox.store import Store

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 10 * 1024 * 1024
IDLE_TIMEOUT = 60.0


class CatchAll(SMTP):  # type: ignore[misc]  # aiosmtpd has no type hints
    """Real programs send longer lines than RFC 5321 (4.5.3.1.6) allows, and a catcher should show them."""

    line_length_limit = 1024 * 1024


class Intake:
    """The hooks that aiosmtpd calls, found by their names."""

    def __init__(self, store: Store, writing: Executor) -> None:
        self._store = store
        self._writing = writing

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - hook name
        """Answer 250 only after the mail is on disk, 451 (try again) when it could not be put there."""
        message = _message(session, envelope)
        try:
            await asyncio.get_running_loop().run_in_executor(self._writing, self._store.add, message)
        except sqlite3.Error:
            log.exception("mail not kept", extra={"mail_id": message.id})
            return "451 4.3.0 The mailbox cannot keep the mail now"
        log.info("mail kept", extra={"mail_id": message.id, "size": len(message.data)})
        return f"250 2.0.0 OK: queued as {message.id}"

    async def handle_exception(self, error: Exception) -> str:
        log.error("SMTP session failed", exc_info=error)
        return "451 4.3.0 Error in the mailbox"


def connection(intake: Intake, connected: set[asyncio.BaseTransport]) -> CatchAll:
    """The protocol of one new connection; its transport is in `connected` for as long as it lives."""

    class Tracked(CatchAll):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connected.add(transport)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            connected.discard(self.transport)
            super().connection_lost(error)

    return Tracked(
        intake,
        data_size_limit=MAX_MESSAGE_BYTES,
        enable_SMTPUTF8=True,
        # Named, because the default is a reverse look-up of the machine's own address, which can take seconds.
        hostname="mailbox",
        ident="development mailbox",
        timeout=IDLE_TIMEOUT,
        auth_require_tls=False,
        authenticator=accept_login,
        loop=asyncio.get_running_loop(),
    )


def accept_login(*_credentials: object) -> AuthResult:
    """Whoever asks may send: programs that must log in elsewhere can be tried with their usual settings."""
    return AuthResult(success=True)


def _message(session: Session, envelope: Envelope) -> Message:
    content = envelope.original_content or b""
    sender = envelope.mail_from or ""
    return Message(
        helo=storable(session.host_name or ""),
        sender="" if sender == "<>" else storable(sender),
        recipients=tuple(storable(recipient) for recipient in envelope.rcpt_tos),
        data=content,
    )
