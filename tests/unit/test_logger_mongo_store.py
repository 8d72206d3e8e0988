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
from logger.mongo.reader import MongoLogReader
from logger.mongo.store import DUPLICATE_KEY, MongoLogStore
from logger.mongo.windows import END, UNDATED, Budget, Window
from logger.ports import Question
from logger.query.filters import Filter
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


class Gathering:
    """Keeps the times that it may take."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    def read(self, _window, max_time_ms):
        self.limits.append(max_time_ms)


@pytest.mark.parametrize(("left_ms", "limit_ms"), [(1, 1), (3, 1), (400, 100), (2_000, 150)])
def test_the_last_milliseconds_of_a_question_are_no_leave_to_take_for_ever(left_ms, limit_ms):
    reader = MongoLogReader(create_mongo("mongodb://127.0.0.1:9/logs", app_name="test"))
    gathering, range_ = Gathering(), Window(UNDATED.until, END)

    list(reader._ranges(gathering, Question(Filter()), range_, Budget(left_ms / 1000, clock=lambda: 0.0)))

    assert gathering.limits == [limit_ms]


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
