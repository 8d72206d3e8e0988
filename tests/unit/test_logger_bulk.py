"""The log store's HTTP door for one entry or many, and what an idempotency key does there."""

from __future__ import annotations

import json

import pytest

from common.errors import TooManyError, UnavailableError
from logger.app import create_app
from logger.memory.store import MemoryLogStore
from logger.settings import LoggerSettings
from protos.limits import MAX_BULK_BODY, MAX_ENTRIES

NDJSON = {"Content-Type": "application/x-ndjson"}
FULL = {
    "name": "event",
    "data": "text",
    "id": "order-17",
    "level": "warn",
    "service": "shop",
    "request_id": "req-1",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "timestamp": "2026-01-02T14:00:00.5+02:00",
    "category": "audit",
    "fields": {"amount": 9007199254740993, "ratio": 0.5, "tags": ["a", None, True]},
}


class FailingStore(MemoryLogStore):
    failure: Exception | None = None

    def insert(self, entries):
        if self.failure:
            raise self.failure
        return super().insert(entries)


@pytest.fixture
def store():
    return FailingStore()


@pytest.fixture
def client(store):
    app = create_app(LoggerSettings(logger_rpc_port=21903, logger_grpc_port=21904), store=store)
    writer = next(part for part in app.extensions["lifecycle"].parts if part.name == "writer")
    writer.start()
    yield app.test_client()
    writer.stop()


def test_one_entry_with_everything_is_stored_and_read_back_where_location_says(client):
    reply = client.post("/api/v1/logs", json=FULL)

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (201, "mongodb")
    assert reply.json == {"id": "order-17", "outcome": "stored", "stored": "mongodb"}
    entry = client.get(reply.headers["Location"]).json
    expected = {name: value for name, value in FULL.items() if name != "timestamp"} | {
        "level": "WARNING",
        "protocol": "http",
        "created_at": "2026-01-02T12:00:00.500Z",
        "updated_at": "2026-01-02T12:00:00.500Z",
    }
    assert entry == expected


def test_the_name_and_the_data_are_enough_and_a_repeated_id_is_a_duplicate(client, store):
    first = client.post("/api/v1/logs", json={"name": "event", "data": "text"}).json
    again = client.post("/api/v1/logs", json={"name": "event", "data": "text", "id": first["id"]})

    assert (again.status_code, again.json["outcome"]) == (201, "duplicate")
    assert len(store) == 1


@pytest.mark.parametrize("ndjson", [False, True])
def test_many_entries_are_stored_and_the_invalid_ones_told_apart(client, store, ndjson):
    entries = [
        {"name": "a", "data": "1", "id": "x-1"},
        {"name": "", "data": "2"},
        {"name": "c"},
        7,
        {"name": "a", "data": "1", "id": "x-1"},
        {"name": "e", "data": "5", "fields": {"$set": 1}},
    ]
    data = "\n".join(map(json.dumps, entries)) if ndjson else json.dumps(entries)

    reply = client.post("/api/v1/logs", data=data, headers=NDJSON if ndjson else {})

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (207, "mongodb")
    assert reply.json["counts"] == {"stored": 1, "duplicate": 1, "refused": 4}
    results = reply.json["results"]
    assert [result["outcome"] for result in results] == [
        "stored",
        "refused",
        "refused",
        "refused",
        "duplicate",
        "refused",
    ]
    assert results[1]["errors"] == [{"pointer": "#/1/name", "detail": "must not be empty"}]
    assert results[2]["errors"] == [{"pointer": "#/2/data", "detail": "is missing"}]
    assert results[3]["errors"] == [{"pointer": "#/3", "detail": "must be an object"}]
    assert results[5]["errors"][0]["pointer"] == "#/5/fields"
    assert len(store) == 1


def test_a_thousand_lines_are_a_thousand_entries_and_one_more_is_too_many(client, store):
    line = b'{"name":"event","data":"text"}\n'

    fitting = client.post("/api/v1/logs", data=line * MAX_ENTRIES, headers=NDJSON)
    beyond = client.post("/api/v1/logs", data=line * (MAX_ENTRIES + 1), headers=NDJSON)

    assert (fitting.status_code, fitting.json["counts"]) == (200, {"stored": MAX_ENTRIES})
    assert len({result["id"] for result in fitting.json["results"]}) == MAX_ENTRIES
    assert beyond.status_code == 413
    assert len(store) == MAX_ENTRIES


def test_a_body_may_have_four_mebibytes_here_and_one_on_the_seeds_path(client, store):
    entries = [{"name": "event", "data": "x" * 1_000_000}] * 4
    body = json.dumps(entries).encode().ljust(MAX_BULK_BODY)

    assert client.post("/api/v1/logs", data=body).status_code == 200
    assert client.post("/api/v1/logs", data=body + b" ").status_code == 413
    assert client.post("/log", data=body).status_code == 413
    assert len(store) == 4


def test_many_that_are_all_invalid_store_nothing_and_are_a_problem(client, store):
    reply = client.post("/api/v1/logs", json=[{"name": "", "data": "x"}, {"name": "a", "data": 5}])

    assert reply.status_code == 422
    assert [problem["pointer"] for problem in reply.json["errors"]] == ["#/0/name", "#/1/data"]
    assert len(store) == 0


@pytest.mark.parametrize(
    ("member", "value"),
    [("level", None), ("fields", "{}"), ("fields", None), ("span_id", 5), ("request_id", "a b"), ("id", "")],
)
def test_one_entry_is_judged_by_the_same_rules_as_one_of_many(client, member, value):
    entry = {"name": "event", "data": "text", member: value}

    alone = client.post("/api/v1/logs", json=entry)
    on_the_seeds_path = client.post("/log", json=entry)
    among_others = client.post("/api/v1/logs", json=[{"name": "event", "data": "text"}, entry])

    taken = (member, value) in (("id", ""), ("fields", None))
    assert alone.status_code == (201 if taken else 422)
    assert on_the_seeds_path.status_code == (202 if taken else 422)
    assert among_others.json["counts"] == ({"stored": 2} if taken else {"stored": 1, "refused": 1})


def test_a_member_of_the_wrong_type_does_not_hide_the_other_broken_rules(client, store):
    entry = {"name": "", "data": 5, "level": "loud", "span_id": "xyz", "fields": [1]}

    alone = client.post("/api/v1/logs", json=entry)
    among_others = client.post("/api/v1/logs", json=[{"name": "event", "data": "text"}, entry])

    assert alone.status_code == 422
    assert {problem["pointer"] for problem in alone.json["errors"]} == {
        "#/name",
        "#/data",
        "#/level",
        "#/span_id",
        "#/fields",
    }
    assert len(among_others.json["results"][1]["errors"]) == len(entry)
    assert {"pointer": "#/fields", "detail": "must be an object"} in alone.json["errors"]
    assert len(store) == 1


@pytest.mark.parametrize(
    ("failure", "status"),
    [(TooManyError("the log store has no room now", retry_after=3), 429), (UnavailableError("away"), 503)],
)
def test_a_store_that_takes_nothing_is_told_with_the_time_to_wait(client, store, failure, status):
    store.failure = failure

    for path, body in (("/api/v1/logs", [{"name": "a", "data": "b"}]), ("/log", {"name": "a", "data": "b"})):
        reply = client.post(path, json=body)

        assert reply.status_code == status
        assert int(reply.headers["Retry-After"]) > 0
        assert "X-Log-Stored" not in reply.headers


def test_the_seeds_path_says_where_the_entry_is_and_takes_the_additions(client, store):
    reply = client.post("/log", json=FULL)

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (202, "mongodb")
    assert reply.json["data"] == {"id": "order-17", "stored": "mongodb"}
    entry = store.find("order-17")
    assert (entry.span_id, entry.fields) == (FULL["span_id"], FULL["fields"])


def test_a_retry_with_the_same_idempotency_key_is_the_same_record_at_either_path(client, store):
    entry, headers = {"name": "event", "data": "text"}, {"Idempotency-Key": '"order 17"'}

    ids = {
        client.post("/log", json=entry, headers=headers).json["data"]["id"],
        client.post("/log", json=entry, headers=headers).json["data"]["id"],
        client.post("/api/v1/logs", json=entry, headers=headers).json["id"],
    }

    assert len(ids) == len(store) == 1


def test_a_retry_of_many_with_the_same_key_stores_only_what_is_missing(client, store):
    entries, headers = [{"name": "event", "data": "text"}] * 3, {"Idempotency-Key": "batch-1"}

    first = client.post("/api/v1/logs", json=entries, headers=headers).json
    again = client.post("/api/v1/logs", json=[*entries, {"name": "new", "data": ""}], headers=headers).json

    assert first["counts"] == {"stored": 3}
    assert again["counts"] == {"duplicate": 3, "stored": 1}
    assert len(store) == 4


def test_the_same_key_for_something_else_collapses_nothing(client, store):
    for data in ("one", "two"):
        client.post("/log", json={"name": "event", "data": data}, headers={"Idempotency-Key": "k"})

    assert len(store) == 2


@pytest.mark.parametrize("path", ["/log", "/api/v1/logs"])
def test_an_unusable_idempotency_key_stores_nothing(client, store, path):
    reply = client.post(path, json={"name": "event", "data": ""}, headers={"Idempotency-Key": "x" * 256})

    assert reply.status_code == 400
    assert len(store) == 0
