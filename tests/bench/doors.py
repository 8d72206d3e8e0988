"""Every HTTP door that is measured, and what is sent to it. Entries are 150 to 200 bytes and no two are the same."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from tests.bench.target import Target
from tests.bench.wrk import MARK, Request

LOGIN = {"email": "admin@example.com", "password": "verysecret"}
BULK_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Door:
    """`counted` is where acknowledged entries are: in the `store` at once, there `later` (queued), or not entries at all (empty)."""

    name: str
    service: str
    path: str
    unit: str = "requests/s"
    counted: str = "store"
    kind: str = "log"
    via: str = ""
    entries: int = 1

    def request(self, target: Target, tag: str) -> Request:
        url = f"{target.broker if self.service == 'broker' else target.logger}{self.path}"
        if self.entries > 1:
            lines = (json.dumps(entry(f"{tag}-{number:04d}-{MARK}")) for number in range(self.entries))
            return Request(url, "\n".join(lines) + "\n", "application/x-ndjson", is_patient=True)
        return Request(url, json.dumps(self._body(f"{tag}-{MARK}")))

    def is_in(self, target: Target) -> bool:
        return bool(target.broker if self.service == "broker" else target.logger)

    def _body(self, name: str) -> dict[str, Any]:
        match self.kind:
            case "log":
                return entry(name)
            case "handle":
                return {"action": "log", "log": entry(name) | ({"via": self.via} if self.via else {})}
            case "mail":
                return {"action": "mail", "mail": _mail(name)}
            case _:
                return {"action": "auth", "auth": LOGIN}


def entry(name: str) -> dict[str, str]:
    return {"name": name, "data": f"entry {name} of the load generator: user 4711 opened order 4242 from 10.0.0.7"}


def _mail(name: str) -> dict[str, str]:
    subject, message = f"load {name}", f"message {name} of the load generator"
    return {"from": "bench@example.com", "to": "sink@example.com", "subject": subject, "message": message}


def new_tag() -> str:
    """Begins the names of one run's entries, and of no other's."""
    return f"bench{secrets.token_hex(4)}"


DOORS = (
    Door("broker-hit", "broker", "/", counted="", kind="log"),
    Door("handle-log", "broker", "/handle", kind="handle"),
    Door("handle-log-http", "broker", "/handle", kind="handle", via="http"),
    Door("handle-log-grpc", "broker", "/handle", kind="handle", via="grpc"),
    Door("handle-log-amqp", "broker", "/handle", kind="handle", via="amqp", counted="later"),
    Door("log-grpc", "broker", "/log-grpc"),
    Door("logger-log", "logger", "/log"),
    Door("handle-mail", "broker", "/handle", kind="mail", counted="", unit="mails/s"),
    Door("broker-bulk", "broker", "/api/v1/logs", entries=BULK_ENTRIES, unit="entries/s"),
    Door("logger-bulk", "logger", "/api/v1/logs", entries=BULK_ENTRIES, unit="entries/s"),
)
LOG_DOOR = next(door for door in DOORS if door.name == "handle-log")
LOGIN_DOOR = Door("handle-auth", "broker", "/handle", kind="auth", counted="", unit="logins/s")
