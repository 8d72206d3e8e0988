"""The use case of the mailer: a letter becomes a mail with an identity, and goes out or fails in so many words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from common import context
from common.clock import Clock
from common.errors import AppError
from common.ids import new_record_id
from mailer.domain import Address, Letter, Mail, Origin, Receipt
from mailer.ports import Renderer, Sender

log = logging.getLogger(__name__)


class MailService:
    def __init__(
        self,
        sender: Sender,
        renderer: Renderer,
        clock: Clock,
        *,
        origin: Origin,
        new_id: Callable[[], str] = new_record_id,
    ) -> None:
        self._sender = sender
        self._renderer = renderer
        self._clock = clock
        self._origin = origin
        self._new_id = new_id

    def send(self, letter: Letter) -> Receipt:
        """Raises what `Renderer.render` and `Sender.send` raise."""
        mail = self._compose(letter)
        fields = {"mail_id": mail.id, "recipient_domain": mail.recipient.domain}
        try:
            self._sender.send(mail)
        except AppError as error:
            log.warning("mail_not_sent", extra={**fields, "kind": str(error.kind)})
            raise
        log.info("mail_sent", extra=fields)
        return Receipt(mail.id, mail.message_id)

    def _compose(self, letter: Letter) -> Mail:
        mail_id = self._new_id()
        sender = self._sender_of(letter)
        return Mail(
            id=mail_id,
            message_id=f"<{mail_id}@{self._origin.domain}>",
            date=self._clock.now(),
            sender=sender,
            recipient=letter.recipient,
            subject=letter.subject,
            bodies=self._renderer.render(replace(letter, sender=sender), reference=mail_id),
            attachments=letter.attachments,
            trace=_trace(),
        )

    def _sender_of(self, letter: Letter) -> Address:
        """FROM_NAME belongs to FROM_ADDRESS: it never stands before someone else's address."""
        default = self._origin.sender
        sender = letter.sender or default
        own_name = default.name if sender.address == default.address else ""
        return Address(sender.address, letter.sender_name or sender.name or own_name)


def _trace() -> tuple[tuple[str, str], ...]:
    bound = context.current()
    return () if bound is None else (("X-Request-Id", bound.request_id), ("X-Trace-Id", bound.trace_id))
