"""A login and a mail a second beside the writers: both must go on when entries cannot be written."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from tests.faults.doors import FailedCallError
from tests.faults.http_doors import post
from tests.faults.ledger import Ledger

PAUSE = 1.0
LOGIN = {"action": "auth", "auth": {"email": "admin@example.com", "password": "verysecret"}}
MAIL = {"action": "mail", "mail": {"from": "a@b.example", "to": "c@d.example", "subject": "s", "message": "m"}}
REQUESTS = {"login": LOGIN, "mail": MAIL}


@dataclass(slots=True)
class Tally:
    """Of one action in one row. `slowest` in seconds, of those that went well."""

    good: int = 0
    slowest: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return {"good": self.good, "slowest": round(self.slowest, 2), "errors": dict(self.errors)}


class Prober(threading.Thread):
    def __init__(self, action: str, env: Mapping[str, str], ledger: Ledger) -> None:
        super().__init__(name=f"prober {action}", daemon=True)
        self.action = action
        self.tally = Tally()
        self._url = env["BROKER_URL"] + "/handle"
        self._ledger = ledger
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        body = orjson.dumps(REQUESTS[self.action])
        with requests.Session() as session:
            for number in itertools.count():
                if self._stopping.wait(PAUSE):
                    return
                began = time.monotonic()
                request_id = f"{self._ledger.prefix}{self.action}-{number}"
                try:
                    post(session, self._url, body, {"Content-Type": "application/json", "X-Request-Id": request_id})
                except FailedCallError as failure:
                    self.tally.errors[failure.kind] += 1
                else:
                    self.tally.good += 1
                    if self.action == "login":
                        self._ledger.logins.append(request_id)
                    self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
