"""The log store on a real MongoDB: bulk doors, structured fields, retries, and what its health says when the database is away."""

from __future__ import annotations

import json
import os
import secrets
import signal

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos import logs_pb2, logs_pb2_grpc
from protos.limits import MAX_ENTRIES
from tests.waiting import eventually

SERVICE = "logs.LogService"


@pytest.fixture
def name():
    """A name that no other test writes."""
    return f"store-{secrets.token_hex(6)}"


@pytest.fixture
def channel(system):
    with grpc.insecure_channel(system.env["LOGGER_GRPC_ADDRESS"]) as channel:
        yield channel


def bulk(system, lines, **headers):
    body = "\n".join(map(json.dumps, lines)).encode()
    return requests.post(
        system.url("logger", "/api/v1/logs"),
        data=body,
        headers={"Content-Type": "application/x-ndjson", **headers},
        timeout=15,
    )


def test_a_thousand_lines_are_in_the_database_when_the_answer_is_there(system, log_documents, name):
    lines = [{"name": name, "data": str(index), "fields": {"index": index}} for index in range(MAX_ENTRIES)]

    reply = bulk(system, lines)

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (200, "mongodb")
    records = {str(record["_id"]): record for record in log_documents.find({"name": name})}
    assert [records[result["id"]]["fields"] for result in reply.json()["results"]] == [line["fields"] for line in lines]


def test_everything_an_entry_may_say_is_kept_beside_the_originals_fields_and_read_back(system, log_documents, name):
    entry = {
        "name": name,
        "data": "Größe",
        "id": f"{name}-1",
        "level": "error",
        "service": "shop",
        "request_id": "req-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "timestamp": "2026-01-02T12:00:00.123Z",
        "fields": {"big": 2**63 - 1, "half": 0.5, "a.b": [1, None, {"deep": True}]},
    }

    reply = requests.post(system.url("logger", "/api/v1/logs"), json=entry, timeout=15)

    assert reply.status_code == 201
    record = log_documents.find_one({"name": name})
    assert list(record)[:5] == ["_id", "name", "data", "created_at", "updated_at"]
    assert record["fields"] == entry["fields"]
    assert type(record["fields"]["big"]).__name__ in {"int", "Int64"}
    assert (record["span_id"], record["event_id"]) == (entry["span_id"], entry["id"])
    read = requests.get(system.url("logger", reply.headers["Location"]), timeout=15).json()
    assert (read["fields"], read["span_id"], read["level"]) == (entry["fields"], entry["span_id"], "ERROR")


def test_a_retry_with_its_idempotency_key_stores_nothing_twice(system, log_documents, name):
    lines = [{"name": name, "data": "same"}] * 50

    first, again = (bulk(system, lines, **{"Idempotency-Key": f'"{name}"'}).json() for _ in range(2))

    assert (first["counts"], again["counts"]) == ({"stored": 50}, {"duplicate": 50})
    assert [result["id"] for result in first["results"]] == [result["id"] for result in again["results"]]
    assert log_documents.count_documents({"name": name}) == 50


def test_a_grpc_stream_is_in_the_database_when_its_summary_is_there(channel, log_documents, name):
    entries = (logs_pb2.Log(name=name, data=str(index), id=f"{name}-{index % 2500}") for index in range(3000))

    summary = logs_pb2_grpc.LogServiceStub(channel).WriteLogStream(entries, timeout=30)

    assert (summary.stored, summary.duplicate, summary.refused) == (2500, 500, 0)
    assert log_documents.count_documents({"name": name}) == 2500


def test_grpc_health_follows_the_database(system, channel):
    health = health_pb2_grpc.HealthStub(channel)

    def status() -> str:
        answer = health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    eventually(lambda: status() == "SERVING")
    group = os.getpgid(system.part("mongo")["pid"])
    os.killpg(group, signal.SIGSTOP)
    try:
        eventually(lambda: status() == "NOT_SERVING", seconds=10)
    finally:
        os.killpg(group, signal.SIGCONT)
    eventually(lambda: status() == "SERVING", seconds=20)
