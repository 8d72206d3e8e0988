"""The request id on every hop: in the answer, in the log lines of every service it passed, in the stored record."""

from __future__ import annotations

import json
import secrets

import pytest

from tests.waiting import eventually


def lines_with(system, part: str, request_id: str) -> list[dict]:
    """The JSON log lines of a part that carry the request id; the runner puts the time before each line."""
    found = []
    for line in system.log_lines(part):
        start = line.find("{")
        if request_id in line and start >= 0:
            record = json.loads(line[start:])
            if record.get("request_id") == request_id:
                found.append(record)
    return found


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ({"action": "auth", "auth": {"email": "admin@example.com", "password": "verysecret"}}, ["broker", "auth"]),
        ({"action": "mail", "mail": {"to": "c@d.example", "subject": "s", "message": "m"}}, ["broker", "mailer"]),
    ],
    ids=["auth", "mail"],
)
def test_one_request_id_and_one_trace_id_lead_through_every_service(system, body, parts):
    request_id = f"hop-{secrets.token_hex(6)}"

    reply = system.post("broker", "/handle", body, headers={"X-Request-Id": request_id})

    assert reply.status_code == 202
    assert reply.headers["X-Request-Id"] == request_id
    for part in parts:
        records = eventually(lambda part=part: lines_with(system, part, request_id))
        assert {record["trace_id"] for record in records} == {reply.headers["X-Trace-Id"]}
        assert records[0]["service"] == part


@pytest.mark.parametrize("via", ["http", "rpc", "grpc", "amqp"])
def test_an_entry_keeps_the_identity_of_its_request_though_it_travels_with_others(system, log_documents, via):
    request_id = f"hop-{secrets.token_hex(6)}"
    body = {"action": "log", "log": {"name": "id", "data": "x", "via": via}}

    reply = system.post("broker", "/handle", body, headers={"X-Request-Id": request_id})

    stored = eventually(lambda: log_documents.find_one({"request_id": request_id, "protocol": via}))
    assert stored["trace_id"] == reply.headers["X-Trace-Id"]
    assert eventually(lambda: lines_with(system, "broker", request_id))


def test_no_secret_reaches_a_log_line(system):
    login = {"action": "auth", "auth": {"email": "admin@example.com", "password": "not-the-pass-word"}}
    system.post("broker", "/handle", login)
    system.post("auth", "/authenticate", {"email": "admin@example.com", "password": "not-the-pass-word"})

    for part in ("broker", "auth", "logger", "mailer", "worker"):
        text = "\n".join(system.log_lines(part))
        assert "not-the-pass-word" not in text
        assert "verysecret" not in text
        assert "guest:guest" not in text
        assert ":password@" not in text
