"""An audit trail on a database of its own: entries go in, get sealed, and are tampered with by hand."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient

from common.ids import object_id_hex
from common.mongo import create_mongo
from logger.audit import Fault, Head, verify
from logger.domain import Draft, LogEntry, accept, arrival
from logger.mongo.audit_trail import CHAIN, MongoAuditTrail
from logger.mongo.documents import key_of
from logger.mongo.sealing import AuditSealer
from logger.mongo.store import MongoLogStore
from tests.system import System


class HandClock:
    """Tells the day that the test says."""

    def __init__(self, day: str = "2026-11-21") -> None:
        self.day = day

    def now(self) -> datetime:
        return datetime.fromisoformat(self.day).replace(hour=12, tzinfo=UTC)


def audited(record_id: str, **more: Any) -> LogEntry:
    draft = Draft(**{"name": "login", "data": f"text of {record_id}", "id": record_id, "category": "audit"} | more)
    return accept(draft, arrival("http", datetime.now(UTC)))


class Trail:
    """`url`: of the database. Entry `a` has the id "a"; `key` is its `_id`."""

    def __init__(self, client: MongoClient, url: str) -> None:
        self.url = url
        self.client = client
        self.database = client.get_default_database()
        self.logs = self.database["logs"]
        self.chain = self.database[CHAIN]
        self.store = MongoLogStore(client)
        self.store.prepare()
        self.clock = HandClock()
        self.trail = MongoAuditTrail(self.database)
        self.sealer = self.new_sealer()

    def new_sealer(self, portion: int = 500) -> AuditSealer:
        return AuditSealer(self.database, self.clock, portion=portion)

    def record(self, *ids: str) -> None:
        for each in ids:
            assert self.store.insert([audited(each)]) == [True]

    def seal(self, *ids: str, day: str | None = None) -> None:
        """Stores entries and gives them their links."""
        self.clock.day = day or self.clock.day
        self.record(*ids)
        while self.sealer.step():
            pass

    def verify(self, **how: Any) -> tuple[list[Head], Fault | None]:
        found = list(verify(self.trail, **how))
        faults = [each for each in found if isinstance(each, Fault)]
        heads = [each for each in found if isinstance(each, Head)]
        assert len(faults) <= 1
        return heads, faults[0] if faults else None

    def fault(self, **how: Any) -> tuple[str, str, str] | None:
        """Kind, link and entry of what is broken first."""
        _, fault = self.verify(**how)
        return None if fault is None else (fault.kind, fault.link, fault.entry)

    def links(self) -> list[dict[str, Any]]:
        return list(self.chain.find(sort=[("_id", 1)]))


def key(record_id: str) -> str:
    return object_id_hex(record_id)


def where(record_id: str) -> dict[str, Any]:
    return {"_id": key_of(record_id)}


@contextmanager
def own_trail(system: System) -> Iterator[Trail]:
    name = f"audit-{secrets.token_hex(6)}"
    url = system.env["MONGO_ADMIN_URL"].replace("/?", f"/{name}?")
    client: MongoClient = create_mongo(url, app_name="test")
    try:
        yield Trail(client, url)
    finally:
        client.drop_database(name)
        client.close()
