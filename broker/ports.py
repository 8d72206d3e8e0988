"""What the gateway needs from the services behind it. Each method raises one of common.errors when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from broker.domain import LogOrder, Passed, Receipt, Result, Via
from common.errors import InvalidError


class Authenticator(Protocol):
    def authenticate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """The user. Raises UnauthenticatedError."""


class MailSender(Protocol):
    def send(self, mail: dict[str, Any]) -> dict[str, Any] | None:
        """What the mailer says of the message that SMTP accepted."""


class LogDoor(Protocol):
    def write_many(self, orders: Sequence[LogOrder]) -> list[Result]:
        """One result for each order, in order; returns when the receipts are true. Raises when all of it failed in the same way."""


class LogDelivery(Protocol):
    def deliver(self, orders: Sequence[LogOrder], via: Via) -> list[Receipt | InvalidError]:
        """One result for each order, in order. Raises TooManyError or UnavailableError when nothing was taken."""


class LogReader(Protocol):
    def get(self, record_id: str) -> dict[str, Any]:
        """Raises NotFoundError."""

    def ask(self, path: str, body: bytes | None, content_type: str) -> Passed:
        """The log store's own answer to a question, a refusal included. `path` holds the query string; a `body` is posted.

        Raises when there is no answer, or none that a caller could be shown.
        """
