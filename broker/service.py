"""The gateway's use cases: each action of the Go original, carried to the service that owns it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from broker.domain import Answer, LogOrder, Passed, Receipt, Via
from broker.ports import Authenticator, LogDelivery, LogReader, MailSender
from common.errors import InvalidError
from common.outcomes import Outcome


class BrokerService:
    def __init__(self, *, auth: Authenticator, mail: MailSender, delivery: LogDelivery, reader: LogReader) -> None:
        self._auth = auth
        self._mail = mail
        self._delivery = delivery
        self._reader = reader

    def authenticate(self, credentials: dict[str, Any]) -> Answer:
        return Answer("Authenticated!", self._auth.authenticate(credentials))

    def log(self, order: LogOrder, via: Via) -> Answer:
        """Returns when the entry is durable somewhere; the answer says where."""
        (result,) = self._delivery.deliver([order], via)
        if isinstance(result, InvalidError):
            raise result
        place = Outcome(result.fate, order.id).place
        return Answer(result.words, {"id": order.id, "stored": place, "via": result.via}, place)

    def log_many(self, drafts: Sequence[LogOrder | InvalidError], via: Via) -> list[Outcome | InvalidError]:
        """One outcome for each draft, in order: an invalid one does not keep the others out."""
        orders = [draft for draft in drafts if not isinstance(draft, InvalidError)]
        results = iter(self._delivery.deliver(orders, via) if orders else ())
        return [draft if isinstance(draft, InvalidError) else _outcome(draft, next(results)) for draft in drafts]

    def send_mail(self, mail: dict[str, Any]) -> Answer:
        return Answer(f"Message sent to {mail.get('to')}", self._mail.send(mail))

    def find_log(self, record_id: str) -> dict[str, Any]:
        return self._reader.get(record_id)

    def ask_logs(self, path: str, body: bytes | None, content_type: str) -> Passed:
        return self._reader.ask(path, body, content_type)


def _outcome(order: LogOrder, result: Receipt | InvalidError) -> Outcome | InvalidError:
    return result if isinstance(result, InvalidError) else Outcome(result.fate, order.id)
