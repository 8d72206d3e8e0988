from __future__ import annotations

import logging

import pytest

from logger.app import create_app
from logger.memory.store import MemoryLogStore
from logger.settings import LoggerSettings


@pytest.fixture
def store():
    return MemoryLogStore()


@pytest.fixture
def client(store):
    app = create_app(LoggerSettings(logger_rpc_port=21901, logger_grpc_port=21902), store=store)
    writer = next(part for part in app.extensions["lifecycle"].parts if part.name == "writer")
    writer.start()
    yield app.test_client()
    writer.stop()


def test_an_entry_is_stored_and_answered_in_the_original_envelope(client, store):
    reply = client.post("/log", json={"name": "event", "data": "text"})

    assert reply.status_code == 202
    assert reply.json["error"] is False
    assert reply.json["message"] == "logged"
    assert list(reply.json) == ["error", "message", "data"]
    assert store.find(reply.json["data"]["id"]).data == "text"


def test_the_entry_remembers_the_request_it_came_with(client, store):
    headers = {"X-Request-Id": "req-7", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    reply = client.post("/log", json={"name": "event", "data": ""}, headers=headers)

    entry = store.find(reply.json["data"]["id"])
    assert (entry.request_id, entry.trace_id) == ("req-7", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert reply.headers["X-Request-Id"] == "req-7"


def test_the_same_id_twice_is_one_record_and_two_successes(client, store):
    body = {"name": "event", "data": "text", "id": "order-17"}

    replies = [client.post("/log", json=body).status_code for _ in range(2)]

    assert replies == [202, 202]
    assert len(store) == 1


def test_a_missing_content_type_counts_as_json_as_go_clients_send_none(client):
    assert client.post("/log", data=b'{"name":"event","data":"x"}').status_code == 202


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"", {}, 400, "body must not be empty"),
        (b"{", {}, 400, "body is not valid JSON"),
        (b'{"name":"a","data":"b"} {"name":"c","data":"d"}', {}, 400, "body must have only a single JSON value"),
        (b"[]", {}, 422, "body is invalid"),
        (b'{"data":"x"}', {}, 422, "name: is missing"),
        (b'{"name":"a"}', {}, 422, "data: is missing"),
        (b'{"name":5,"data":"x"}', {}, 422, "name: must be a string"),
        (b'{"name":"","data":"x"}', {}, 422, "name: must not be empty"),
        (b'{"name":"a\\u0000","data":"x"}', {}, 422, "name: must not contain NUL"),
        (b'{"name":"a","data":"\\ud800"}', {}, 400, "body is not valid JSON"),
        (b'{"name":"a","data":"x","level":"LOUD"}', {}, 422, "level: must be one of"),
        (b'{"name":"a","data":"x"}', {"Content-Type": "text/xml"}, 415, "Content-Type must be application/json"),
        (b'{"name":"a","data":"x"}', {"Content-Encoding": "gzip"}, 415, "Content-Encoding is not supported"),
        (b'{"name":"a","data":"' + b"x" * 1024 * 1024 + b'"}', {}, 413, "body is larger than 1 MiB"),
    ],
)
def test_bad_input_is_told_apart_and_stores_nothing(client, store, body, headers, status, message):
    reply = client.post("/log", data=body, headers=headers)

    assert reply.status_code == status
    assert reply.json["error"] is True
    assert reply.json["message"].startswith(message)
    assert len(store) == 0


def test_a_stored_entry_is_read_back_by_its_id(client):
    stored = client.post("/log", json={"name": "event", "data": "text", "level": "warning"}).json["data"]["id"]

    entry = client.get(f"/api/v1/logs/{stored}").json

    assert (entry["id"], entry["name"], entry["level"], entry["protocol"]) == (stored, "event", "WARNING", "http")


def test_an_unknown_id_is_a_problem_document(client):
    reply = client.get("/api/v1/logs/nothing")

    assert reply.status_code == 404
    assert reply.content_type == "application/problem+json"
    assert reply.json["status"] == 404
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/log", "/api/v1/logs"])
def test_what_is_logged_is_not_logged_about_unless_it_is_refused(client, caplog, path):
    """A line for every line would be the larger part of all lines."""
    caplog.set_level(logging.INFO, logger="request")

    client.post(path, json={"name": "event", "data": "x"})
    assert not caplog.records

    client.post(path, json={})
    assert [(each.getMessage(), each.status) for each in caplog.records] == [("request_served", 422)]
