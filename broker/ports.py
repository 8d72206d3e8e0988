"""What the gateway needs from the services behind it. Each method raises one of common.errors when it fails."""

from __future__ import annotations

from typing import Any, Protocol

from broker.domain import LogOrder


class Authenticator(Protocol):
    def authenticate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """The user. Raises UnauthenticatedError."""


class MailSender(Protocol):
    def send(self, mail: dict[str, Any]) -> dict[str, Any] | None:
        """What the mailer says of the message that SMTP accepted."""


class LogDoor(Protocol):
    def write(self, order: LogOrder) -> str:
        """The door's own words for "stored" or "queued"; returns when that is true."""


class LogReader(Protocol):
    def get(self, record_id: str) -> dict[str, Any]:
        """Raises NotFoundError."""
