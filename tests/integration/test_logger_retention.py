"""Retention on a real MongoDB: what goes and what stays, the files before it, the blocks behind it, and the keeper that does it."""

from __future__ import annotations

import gzip
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import requests
from pymongo import MongoClient

from common.clock import FixedClock
from common.errors import UnavailableError
from logger.domain import Draft, accept, arrival
from logger.keeping.archive import DayFiles
from logger.keeping.retention import SMALLEST_CAP, Rules
from logger.keeping.sweep import EPOCH, Sweep
from logger.mongo.indexes import prepare
from logger.mongo.marks import BlockMarks
from logger.mongo.retention import MongoRules, MongoShelf
from logger.mongo.store import MongoLogStore
from logger.ports import Position
from tests.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
START = Position(EPOCH, "0" * 24)


@pytest.fixture
def mongo(system):
    """A database of its own on the system's server."""
    name = f"retention_{secrets.token_hex(4)}"
    url = system.env["MONGO_ADMIN_URL"].replace("/?", f"/{name}?")
    client: MongoClient = MongoClient(url, tz_aware=True, serverSelectionTimeoutMS=5000)
    prepare(client[name]["logs"])
    yield client
    client.drop_database(name)
    client.close()


@pytest.fixture
def logs(mongo):
    return mongo.get_default_database()["logs"]


@pytest.fixture
def add(mongo):
    store = MongoLogStore(mongo)

    def insert(count: int, age: timedelta, level: str = "INFO", category: str = "", size: int = 10) -> None:
        came = arrival("http", NOW - age)
        draft = Draft("name", "x" * size, level=level, category=category)
        store.insert([accept(draft, came) for _ in range(count)])

    return insert


def sweep(mongo, rules: Rules, *, folder: Path | None = None) -> Sweep:
    store = MongoRules(mongo)
    store.save(rules)
    return Sweep(
        store,
        MongoShelf(mongo),
        clock=FixedClock(NOW),
        marks=BlockMarks(mongo.get_default_database()),
        archive=DayFiles(folder) if folder else None,
    )


def run(chore: Sweep) -> None:
    for _ in range(200):
        if not chore.step():
            return
    raise AssertionError("it does not come to an end")


def levels(logs) -> dict[str, int]:
    found = logs.aggregate([{"$group": {"_id": {"$ifNull": ["$level", "none"]}, "count": {"$sum": 1}}}])
    return {each["_id"]: each["count"] for each in found}


def test_rules_are_the_same_after_they_were_kept(mongo):
    rules = Rules({"DEBUG": timedelta(hours=36), "INFO": 30 * DAY}, 5_000_000_000)
    store = MongoRules(mongo)
    assert store.load() == Rules()

    store.save(rules)

    assert store.load() == rules


def test_each_level_goes_in_its_time_and_the_audit_trail_never(mongo, logs, add):
    for level in ("DEBUG", "INFO", "ERROR"):
        add(1500, 40 * DAY, level)
        add(10, 10 * DAY, level)
        add(10, timedelta(hours=1), level)
    add(20, 40 * DAY, "DEBUG", "audit")

    run(sweep(mongo, Rules({"DEBUG": 7 * DAY, "INFO": 30 * DAY})))

    assert levels(logs) == {"DEBUG": 30, "INFO": 20, "ERROR": 1520}
    assert logs.count_documents({"category": "audit"}) == 20


def test_the_audit_trail_cannot_be_deleted_by_its_id(mongo, logs, add):
    add(1, 40 * DAY, category="audit")
    shelf = MongoShelf(mongo)
    (found,) = shelf.walk(START, NOW, 10)
    assert found.kept

    assert shelf.delete([found.place]) == 0
    assert logs.count_documents({}) == 1


def test_documents_of_the_go_original_count_as_info_and_those_without_a_time_stay(mongo, logs):
    old = NOW - 40 * DAY
    logs.insert_many(
        [
            {"name": "go", "data": "x", "created_at": old, "updated_at": old},
            {"name": "go", "data": "x", "created_at": old, "level": ""},
            {"name": "go", "data": "x", "created_at": datetime(1, 1, 1, tzinfo=UTC)},
            {"name": "go", "data": "no time"},
            {"name": "go", "data": "no time", "created_at": None},
        ]
    )

    run(sweep(mongo, Rules({"INFO": 30 * DAY})))

    assert logs.count_documents({}) == 3


def test_portions_go_on_within_one_millisecond(mongo, add):
    add(25, 40 * DAY)
    shelf = MongoShelf(mongo)

    first = shelf.walk(START, NOW, 10)
    second = shelf.walk(first[-1].place, NOW, 10)
    third = shelf.walk(second[-1].place, NOW, 10)

    assert [len(each) for each in (first, second, third)] == [10, 10, 5]
    places = [each.place for each in first + second + third]
    assert places == sorted(set(places))
    assert shelf.walk(places[-1], NOW, 10) == []


def test_above_the_cap_the_oldest_go(mongo, logs, add):
    for age in range(40, 0, -1):
        add(1, age * DAY, "ERROR" if age % 2 else "DEBUG", size=1_000_000)

    run(sweep(mongo, Rules(max_bytes=SMALLEST_CAP)))

    left = sorted(each["created_at"] for each in logs.find({}, {"created_at": 1}))
    assert left == [NOW - age * DAY for age in range(16, 0, -1)]


def test_what_goes_can_be_read_in_the_files_and_brought_back(mongo, logs, add, tmp_path):
    add(30, 40 * DAY)
    add(5, 41 * DAY, "ERROR")
    before = list(logs.find({"level": "INFO"}, sort=[("_id", 1)]))

    run(sweep(mongo, Rules({"INFO": 30 * DAY}), folder=tmp_path / "old"))

    (path,) = (tmp_path / "old").iterdir()
    assert path.name == f"logs-{NOW - 40 * DAY:%Y-%m-%d}.ndjson.gz"
    lines = [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert sorted(line["id"] for line in lines) == [str(each["_id"]) for each in before]
    assert levels(logs) == {"ERROR": 5}


def test_a_crash_between_file_and_deletion_loses_nothing(mongo, logs, add, tmp_path, monkeypatch):
    add(30, 40 * DAY)
    chore = sweep(mongo, Rules({"INFO": 30 * DAY}), folder=tmp_path)

    def crash(*_: object) -> int:
        raise UnavailableError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(MongoShelf, "delete", crash)
        with pytest.raises(UnavailableError):
            chore.step()
    assert logs.count_documents({}) == 30

    run(sweep(mongo, Rules({"INFO": 30 * DAY}), folder=tmp_path))

    assert logs.count_documents({}) == 0
    (path,) = tmp_path.iterdir()
    ids = [orjson.loads(line)["id"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert (len(ids), len(set(ids))) == (60, 30)


def test_blocks_of_the_time_that_goes_are_believed_no_more(mongo, add):
    add(3, 40 * DAY)
    blocks = mongo.get_default_database()["log_blocks"]
    old, new = NOW - 41 * DAY, NOW - 20 * DAY
    blocks.insert_many(
        [
            {"_id": old, "until": NOW - 39 * DAY, "state": "fresh"},
            {"_id": new, "until": NOW - 19 * DAY, "state": "fresh"},
        ]
    )

    run(sweep(mongo, Rules({"INFO": 30 * DAY})))

    assert {each["_id"]: each["state"] for each in blocks.find()} == {old: "stale", new: "fresh"}


def test_rules_set_over_http_are_carried_out_by_the_keeper(system, log_documents):
    name = f"retention-{secrets.token_hex(6)}"
    url = system.url("logger", "/api/v1/logs/retention")
    old = NOW - 3000 * DAY
    log_documents.insert_many(
        [{"name": name, "data": level, "level": level, "created_at": old} for level in ("DEBUG", "ERROR")]
    )
    try:
        changed = requests.put(url, json={"levels": {"DEBUG": "2000d"}}, timeout=15)
        assert changed.status_code == 200
        system.command("restart", "keeper")

        eventually(lambda: [each["level"] for each in log_documents.find({"name": name})] == ["ERROR"], seconds=60)
    finally:
        requests.put(url, json={}, timeout=15)
        log_documents.delete_many({"name": name})
