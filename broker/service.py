"""The gateway's use cases: each action of the Go original, carried to the service that owns it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.domain import Answer, LogOrder, Via
from broker.ports import Authenticator, LogDoor, LogReader, MailSender


class BrokerService:
    def __init__(
        self, *, auth: Authenticator, mail: MailSender, doors: Mapping[Via, LogDoor], reader: LogReader
    ) -> None:
        self._auth = auth
        self._mail = mail
        self._doors = doors
        self._reader = reader

    def authenticate(self, credentials: dict[str, Any]) -> Answer:
        return Answer("Authenticated!", self._auth.authenticate(credentials))

    def log(self, order: LogOrder, via: Via) -> Answer:
        message = self._doors[via].write(order)
        return Answer(message, {"id": order.id, "stored": "queued" if via is Via.AMQP else "mongodb", "via": str(via)})

    def send_mail(self, mail: dict[str, Any]) -> Answer:
        return Answer(f"Message sent to {mail.get('to')}", self._mail.send(mail))

    def find_log(self, record_id: str) -> dict[str, Any]:
        return self._reader.get(record_id)
