from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, ServerSelectionTimeoutError

from common.errors import UnavailableError
from common.lifecycle import Lifecycle
from common.mongo import create_mongo
from logger.app import create_app
from logger.domain import Draft, LogEntry, accept, arrival
from logger.mongo.store import DUPLICATE_KEY, MongoLogStore
from logger.settings import LoggerSettings
from tests.waiting import eventually


class Collection:
    """Fails an insert the way a server would."""

    def __init__(self, details: dict[str, Any]) -> None:
        self._details = details

    def insert_many(self, documents, *, ordered):
        assert not ordered
        raise BulkWriteError(self._details)

    def find(self, _wanted, _fields, *, max_time_ms):
        return []


class Client:
    def __init__(self, details: dict[str, Any]) -> None:
        self._collection = Collection(details)

    def get_default_database(self, default):
        return {"logs": self._collection, "log_blocks": None}


def entries(count: int) -> list[LogEntry]:
    return [accept(Draft("event", "x"), arrival("http", datetime.now(UTC))) for _ in range(count)]


def test_what_is_acknowledged_is_in_the_journal_of_a_majority():
    client = create_mongo("mongodb://127.0.0.1:9/logs", app_name="test")

    assert client["logs"]["logs"].write_concern.document == {"w": "majority", "j": True}


def test_a_duplicate_is_a_success_told_apart():
    store = MongoLogStore(Client({"writeErrors": [{"index": 1, "code": DUPLICATE_KEY}]}))

    assert store.insert(entries(3)) == [True, False, True]


@pytest.mark.parametrize(
    "details",
    [
        {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "waiting for replication timed out"}]},
        {"writeErrors": [{"index": 0, "code": DUPLICATE_KEY}], "writeConcernErrors": [{"code": 91}]},
        {"writeErrors": [{"index": 0, "code": DUPLICATE_KEY}, {"index": 1, "code": 2}]},
    ],
    ids=["no majority", "a duplicate and no majority", "a duplicate and another fault"],
)
def test_anything_but_a_duplicate_leaves_the_outcome_unknown(details):
    with pytest.raises(UnavailableError):
        MongoLogStore(Client(details)).insert(entries(3))


def test_indexes_that_could_not_be_created_are_tried_again(monkeypatch):
    tries: list[object] = []

    def prepare(store: MongoLogStore) -> None:
        tries.append(store)
        if len(tries) == 1:
            raise ServerSelectionTimeoutError

    monkeypatch.setattr(MongoLogStore, "prepare", prepare)
    lifecycle = Lifecycle()
    settings = LoggerSettings(mongo_url="mongodb://127.0.0.1:9/logs", logger_rpc_port=21905, logger_grpc_port=21906)
    app = create_app(settings)
    lifecycle.parts = [part for part in app.extensions["lifecycle"].parts if part.name in {"mongo", "indexes"}]

    lifecycle.start()

    eventually(lambda: len(tries) == 2, seconds=20)
    lifecycle.stop()
