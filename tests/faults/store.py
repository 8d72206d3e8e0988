"""What is really there, read past every service: the log store's documents, and what still waits in the queues."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import amqp
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.faults.comparing import Document, Verdict, add_logins, compare
from tests.faults.ledger import Ledger

SECONDS = 10.0
# The names are part of the contract.
QUEUES = ("logs.store", "logs.retry.5s", "logs.retry.30s", "logs.retry.5m")
DEAD_LETTERS = "logs.dlq"
# How long the last count must stand before nothing is expected to come any more.
QUIET_SECONDS = 2.0


class Store:
    """Reads by the servers' own addresses: a cut network must not hide anything."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            env["MONGO_ADMIN_URL"].replace("replicaSet=rs0", "directConnection=true"),
            serverSelectionTimeoutMS=int(SECONDS * 1000),
            socketTimeoutMS=int(SECONDS * 1000),
        )
        self._rabbit = f"127.0.0.1:{env['RABBIT_PORT']}"
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self._exit.callback(self._client.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def documents(self, prefix: str) -> list[Document]:
        """Those whose names begin with `prefix`, whoever wrote them and under whatever id."""
        found = self._client["logs"]["logs"].find({"name": {"$regex": f"^{re.escape(prefix)}"}}, {"name": 1, "data": 1})
        return list(found)

    def login_events(self, prefix: str) -> list[str]:
        """The request ids of the logins whose events are there, of requests whose ids begin with `prefix`."""
        wanted = {"name": "authentication", "request_id": {"$regex": f"^{re.escape(prefix)}"}}
        return [event["request_id"] for event in self._client["logs"]["logs"].find(wanted, {"request_id": 1})]

    def verdict(self, ledger: Ledger) -> Verdict:
        """The comparison as the store is now."""
        verdict = compare(ledger.entries, self.documents(ledger.prefix))
        add_logins(verdict, ledger.logins, self.login_events(ledger.prefix))
        return verdict

    def waiting(self) -> int:
        """Events in the listener's queue and its retry tiers."""
        return sum(self._depths(*QUEUES))

    def dead_letters(self) -> int:
        return sum(self._depths(DEAD_LETTERS))

    def _depths(self, *queues: str) -> list[int]:
        with amqp.Connection(self._rabbit, connect_timeout=SECONDS, read_timeout=SECONDS) as connection:
            depths = []
            for queue in queues:
                channel = connection.channel()
                try:
                    depths.append(int(channel.queue_declare(queue, passive=True).message_count))
                except amqp.NotFound:
                    depths.append(0)
            return depths


def drained(store: Store, ledger: Ledger, *, seconds: float = 60.0) -> Verdict:
    """The comparison as soon as nothing is on its way any more; gives up `seconds` after the last arrival."""
    seen, moved = Verdict(), time.monotonic()
    while True:
        try:
            verdict, is_empty = store.verdict(ledger), store.waiting() == 0
        except (PyMongoError, OSError, amqp.AMQPError):
            verdict, is_empty = seen, False
        if verdict != seen:
            seen, moved = verdict, time.monotonic()
        if time.monotonic() - moved > (QUIET_SECONDS if is_empty and not verdict.lost else seconds):
            return verdict
        time.sleep(0.25)
