"""What an operator sees of a dead letter, and which letters a command is about. Pure functions."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from common.ids import is_safe_id
from protos.topics import REASON_HEADER, REFUSED_AT_HEADER
from worker.domain import Delivery
from worker.history import attempts
from worker.wire import UNREADABLE

BODY_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` is the record's: from the body, else the message's, else made from its content, the same at every look. `at` is RFC 3339.

    An id made here names a letter and identifies no event: two events of the same words may share it.
    """

    delivery: Delivery
    id: str
    names: frozenset[str]
    at: str
    reason: str
    identified: bool = True

    @property
    def replayable(self) -> bool:
        """What cannot be read whole cannot be written again whole."""
        return UNREADABLE not in self.delivery.properties

    @property
    def beginning(self) -> str:
        """The first characters of the body, on one line."""
        text = self.delivery.body[: 4 * BODY_CHARACTERS].decode(errors="replace")[:BODY_CHARACTERS]
        return "".join(each if each.isprintable() else " " for each in text)

    def brief(self) -> Letter:
        """For a list of many: with no more of the body than `beginning` needs."""
        return replace(self, delivery=replace(self.delivery, body=self.delivery.body[: 4 * BODY_CHARACTERS]))

    def summary(self) -> dict[str, object]:
        return {
            "id": self.id,
            "at": self.at,
            "reason": self.reason,
            "routing_key": self.delivery.routing_key,
            "attempts": len(attempts(self.delivery.headers)),
            "body": self.beginning,
        }

    def whole(self) -> dict[str, object]:
        """Everything; a body that is not UTF-8 as `body_base64`."""
        delivery = self.delivery
        try:
            body: dict[str, object] = {"body": delivery.body.decode()}
        except UnicodeDecodeError:
            body = {"body_base64": base64.b64encode(delivery.body).decode()}
        properties = {name: value for name, value in delivery.properties.items() if name != "application_headers"}
        return {
            "id": self.id,
            "at": self.at,
            "reason": self.reason,
            "routing_key": delivery.routing_key,
            "history": attempts(delivery.headers),
            "headers": dict(delivery.headers),
            "properties": properties,
            **body,
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters: those with this `id` (of record or message), with `reason` as part of their reason in any case; empty for all."""

    id: str = ""
    reason: str = ""
    limit: int | None = None

    def takes(self, letter: Letter) -> bool:
        return (not self.id or self.id in letter.names) and self.reason.lower() in letter.reason.lower()


def letter_of(delivery: Delivery) -> Letter:
    headers = delivery.headers
    given = delivery.properties.get("message_id")
    message_id = given if isinstance(given, str) else ""
    own = _id_in(delivery.body)
    given_id = own or message_id
    shown = given_id or _made(delivery)
    reason, moment = headers.get(REASON_HEADER), headers.get(REFUSED_AT_HEADER)
    at = moment if isinstance(moment, str) else ""
    if not isinstance(reason, str):
        at, reason = _brokers(delivery)
    return Letter(delivery, shown, frozenset({own, message_id, shown} - {""}), at, reason, identified=bool(given_id))


def to_json(value: Mapping[str, object]) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _id_in(body: bytes) -> str:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    given = event.get("id") if isinstance(event, dict) else None
    return given if isinstance(given, str) and is_safe_id(given) else ""


def _made(delivery: Delivery) -> str:
    death = repr(delivery.headers.get("x-death")).encode()
    return hashlib.sha256(b"\x00".join((delivery.body, delivery.routing_key.encode(), death))).hexdigest()[:24]


def _brokers(delivery: Delivery) -> tuple[str, str]:
    """Time and reason of a letter that RabbitMQ itself has put here."""
    if UNREADABLE in delivery.properties:
        return "", "the properties of the message cannot be read"
    deaths = delivery.headers.get("x-death")
    if not isinstance(deaths, list) or not deaths or not isinstance(deaths[0], dict):
        return "", "unknown"
    moment, cause = deaths[0].get("time"), deaths[0].get("reason")
    at = moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds") if isinstance(moment, datetime) else ""
    return at, f"set aside by RabbitMQ: {cause} in {deaths[0].get('queue')}"
