"""Many entries in one request, through the gateway and every protocol, read back past every service."""

from __future__ import annotations

import secrets

import orjson
import pytest
import requests

from tests.waiting import eventually

VIAS = ("rpc", "http", "grpc", "amqp")


@pytest.fixture
def name() -> str:
    return f"bulk-{secrets.token_hex(4)}"


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_thousand_entries_of_one_request_are_stored_with_all_their_fields(system, log_documents, name, via, form):
    entries = [
        {
            "name": name,
            "data": f"entry {number} \u2028 <öß>",
            "level": "warn",
            "service": "shop",
            "fields": {"number": number, "price": 1.5, "big": 2**60, "nested": {"tags": ["a", None, True]}},
            "trace_id": f"{number + 1:032x}",
            "span_id": f"{number + 1:016x}",
            "timestamp": "2026-01-02T03:04:05.678+01:00",
            "id": f"{name}-{number}",
        }
        for number in range(1000)
    ]
    body = orjson.dumps(entries) if form == "array" else b"\n".join(map(orjson.dumps, entries))
    kind = "application/json" if form == "array" else "application/x-ndjson"

    reply = requests.post(
        system.url("broker", f"/api/v1/logs?via={via}"), data=body, headers={"Content-Type": kind}, timeout=15
    )

    assert reply.status_code == (202 if via == "amqp" else 200), reply.text[:500]
    assert reply.json()["counts"] == ({"queued": 1000} if via == "amqp" else {"stored": 1000})
    assert [result["id"] for result in reply.json()["results"]] == [entry["id"] for entry in entries]
    eventually(lambda: log_documents.count_documents({"name": name}) == 1000)
    entry, document = entries[7], log_documents.find_one({"event_id": f"{name}-7"})
    assert {key: document[key] for key in ("data", "fields", "trace_id", "span_id", "service")} == {
        key: entry[key] for key in ("data", "fields", "trace_id", "span_id", "service")
    }
    assert (document["level"], document["protocol"]) == ("WARNING", via)
    assert document["created_at"].isoformat(timespec="milliseconds") == "2026-01-02T02:04:05.678+00:00"


def test_one_entry_is_created_where_the_answer_says(system, name):
    reply = system.post("broker", "/api/v1/logs", {"name": name, "data": "x", "fields": {"n": 1}})

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (201, "mongodb")
    read = requests.get(system.url("broker", reply.headers["Location"]), timeout=5)
    assert (read.json()["name"], read.json()["fields"]) == (name, {"n": 1})


def test_the_good_entries_of_a_mixed_request_are_stored_and_the_bad_ones_told(system, log_documents, name):
    body = [{"name": name, "data": "good"}, {"name": name}, {"name": name, "data": "better", "fields": {"$x": 1}}]

    reply = system.post("broker", "/api/v1/logs", body)

    assert reply.status_code == 207
    assert [error["pointer"] for result in reply.json()["results"][1:] for error in result["errors"]] == [
        "#/1/data",
        "#/2/fields",
    ]
    assert [document["data"] for document in log_documents.find({"name": name})] == ["good"]


@pytest.mark.parametrize("via", VIAS)
def test_the_same_request_under_the_same_key_is_stored_once(system, log_documents, name, via):
    def send() -> requests.Response:
        body = [{"name": name, "data": f"{number}"} for number in range(50)]
        headers = {"Idempotency-Key": f'"{name}"'}
        return system.post("broker", f"/api/v1/logs?via={via}", body, headers=headers)

    first, again = send(), send()

    assert [each["id"] for each in first.json()["results"]] == [each["id"] for each in again.json()["results"]]
    if via in ("grpc", "http"):
        assert again.json()["counts"] == {"duplicate": 50}
    system.post("broker", "/api/v1/logs?via=amqp", {"name": name, "data": "the last"})
    eventually(lambda: log_documents.find_one({"name": name, "data": "the last"}))
    assert log_documents.count_documents({"name": name}) == 51


def test_a_seeds_entry_under_a_key_is_stored_once_whatever_carries_it(system, log_documents, name):
    headers = {"Idempotency-Key": name}
    flat = {"name": name, "data": "x"}
    replies = [
        system.post("broker", "/log-grpc", flat, headers=headers),
        system.post("broker", "/handle", {"action": "log", "log": flat}, headers=headers),
        system.post("broker", "/handle", {"action": "log-http", "log": flat}, headers=headers),
        system.post("logger", "/log", flat, headers=headers),
    ]

    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json()["data"]["id"] for reply in replies}) == 1
    assert log_documents.count_documents({"name": name}) == 1
