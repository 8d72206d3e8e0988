"""Log entries while the log store, the message queue or both are away: acknowledged, told where they are, stored once later."""

from __future__ import annotations

import json
import secrets
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.outages import paused, stopped
from tests.services import free_port, own_service
from tests.system import System
from tests.waiting import eventually

LOGIN = {"action": "auth", "auth": {"email": "admin@example.com", "password": "verysecret"}}
MAIL = {"action": "mail", "mail": {"from": "a@b.example", "to": "c@d.example", "subject": "s", "message": "m"}}
VIAS = ("rpc", "http", "grpc", "amqp")


@pytest.fixture
def name() -> str:
    return f"degraded-{secrets.token_hex(4)}"


def log(system: System, name: str, via: str, data: str = "x", url: str = "") -> requests.Response:
    body = {"action": "log", "log": {"name": name, "data": data, "via": via}}
    return requests.post(f"{url or system.url('broker')}/handle", json=body, timeout=15)


def bulk(system: System, name: str, count: int, **headers: str) -> requests.Response:
    body = [{"name": name, "data": f"bulk {number}"} for number in range(count)]
    return requests.post(system.url("broker", "/api/v1/logs"), json=body, headers=headers, timeout=15)


def readiness(system: System) -> dict:
    return requests.get(system.url("broker", "/readyz"), timeout=5).json()


def all_stored_once(documents, name: str, count: int) -> None:
    """Waits for what is on its way; more copies than entries would come by the same ways, so none may follow."""
    eventually(lambda: documents.count_documents({"name": name}) == count, seconds=40)
    assert len(documents.distinct("data", {"name": name})) == count


@pytest.mark.parametrize("via", VIAS)
def test_without_the_log_store_entries_wait_in_the_queue(system, log_documents, name, via):
    with stopped(system, "logger"):
        reply = log(system, name, via)
        rest = requests.post(
            system.url("broker", f"/api/v1/logs?via={via}"), json=[{"name": name, "data": "y"}], timeout=15
        )

    assert reply.status_code == 202
    data = reply.json()["data"]
    assert (data["stored"], data["via"], reply.headers["X-Log-Stored"]) == ("queued", "amqp", "queued")
    assert (rest.status_code, rest.json()["stored"]) == (202, "queued")
    all_stored_once(log_documents, name, 2)


def test_without_both_everything_is_spooled_outlives_the_broker_and_is_stored_once(system, log_documents, name):
    with stopped(system, "logger", "rabbitmq"):
        replies = [log(system, name, via, data=via) for via in VIAS]
        many = bulk(system, name, 300)
        assert readiness(system)["checks"]["spool"]["error"].startswith("304 records wait")
        assert system.post("broker", "/handle", LOGIN).status_code == 202
        assert system.post("broker", "/handle", MAIL).status_code == 202
        restarts = system.part("broker")["restarts"]
        system.kill("broker")
        eventually(lambda: system.part("broker")["restarts"] == restarts + 1)
        eventually(lambda: readiness(system)["checks"]["spool"]["error"].startswith("304 records wait"))

    for reply in replies:
        assert reply.status_code == 202
        assert reply.json()["message"].startswith("spooled: ")
        assert (reply.json()["data"]["via"], reply.headers["X-Log-Stored"]) == ("spool", "spooled")
    assert (many.status_code, many.json()["counts"]) == (202, {"spooled": 300})
    all_stored_once(log_documents, name, 304)
    eventually(lambda: readiness(system)["checks"]["spool"]["status"] == "up")


def test_what_is_spooled_reaches_the_store_directly_when_only_that_comes_back(system, log_documents, name):
    with stopped(system, "rabbitmq"):
        with stopped(system, "logger"):
            assert log(system, name, "rpc").json()["data"]["stored"] == "spooled"
        all_stored_once(log_documents, name, 1)
        assert log_documents.find_one({"name": name})["protocol"] == "rpc"


def test_a_retry_under_the_same_key_is_stored_once_wherever_the_first_try_went(system, log_documents, name):
    with stopped(system, "logger"):
        first = bulk(system, name, 20, **{"Idempotency-Key": name})
    again = eventually(lambda: _stored(bulk(system, name, 20, **{"Idempotency-Key": name})))

    assert first.json()["counts"] == {"queued": 20}
    assert [each["id"] for each in first.json()["results"]] == [each["id"] for each in again["results"]]
    all_stored_once(log_documents, name, 20)


def _stored(reply: requests.Response) -> dict | None:
    return reply.json() if reply.json()["stored"] == "mongodb" else None


def test_a_silent_log_store_costs_each_client_one_wait_at_most_and_nobody_else_any(system, log_documents, name):
    patience = float(system.env["LOG_PATIENCE"])

    def writer(number: int) -> list[float]:
        waited = []
        for part in range(4):
            started = time.monotonic()
            assert log(system, name, "rpc", data=f"{number}-{part}").status_code == 202
            waited.append(time.monotonic() - started)
        return waited

    with paused(system, "logger"), ThreadPoolExecutor(41) as pool:
        writers = [pool.submit(writer, number) for number in range(40)]
        slowest = 0.0
        while not all(each.done() for each in writers):
            started = time.monotonic()
            assert system.post("broker", "/", {}).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
        waits = [each.result() for each in writers]

    assert max(max(each) for each in waits) < patience + 1.5
    # a door that rests is tried by one request at a time
    assert sum(wait > patience / 2 for each in waits for wait in each[1:]) <= 2
    assert slowest < patience
    all_stored_once(log_documents, name, 160)


def test_when_both_are_silent_an_answer_still_comes_within_two_waits(system, log_documents, name):
    with paused(system, "logger", "rabbitmq"):
        started = time.monotonic()
        reply = log(system, name, "rpc")
        elapsed = time.monotonic() - started

    assert reply.json()["data"]["stored"] == "spooled"
    assert elapsed < 2 * float(system.env["LOG_PATIENCE"]) + 1.5
    all_stored_once(log_documents, name, 1)


def test_a_full_spool_sends_log_writers_back_and_nobody_else(system, tmp_path):
    nowhere = f"127.0.0.1:{free_port()}"
    away = {
        "LOGGER_URL": f"http://{nowhere}",
        "LOGGER_RPC_ADDRESS": nowhere,
        "LOGGER_GRPC_ADDRESS": nowhere,
        "RABBIT_URL": f"amqp://guest:guest@{nowhere}/",
        "SPOOL_DIR": str(tmp_path),
        "SPOOL_MAX_BYTES": str(1024 * 1024),
    }
    with own_service(system, "broker", **away) as url:
        replies = [log(system, "full", "rpc", data="x" * 300_000, url=url) for _ in range(5)]
        login = requests.post(f"{url}/handle", json=LOGIN, timeout=15)

    assert [reply.status_code for reply in replies] == [202, 202, 202, 503, 503]
    assert replies[-1].headers["Retry-After"] == "5"
    assert replies[-1].json()["message"].endswith("the spool is full")
    assert login.status_code == 202


def test_two_processes_of_the_broker_spool_beside_each_other(system, log_documents, name):
    spool = Path(system.env["SPOOL_DIR"])
    with own_service(system, "broker") as url:
        assert (spool / "slot-1").is_dir()
        with stopped(system, "logger", "rabbitmq"):
            for base in (url, system.url("broker")):
                assert log(system, name, "rpc", data=base, url=base).json()["data"]["stored"] == "spooled"
        all_stored_once(log_documents, name, 2)


class FullLogger(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            error = "too many requests: the log store has no room now"
            self.wfile.write(
                json.dumps({"id": json.loads(line)["id"], "result": None, "error": error}).encode() + b"\n"
            )


@contextmanager
def full_logger() -> Iterator[str]:
    """The address of a JSON-RPC server that has no room for any entry."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), FullLogger) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_log_store_without_room_sends_the_writer_back_and_fills_no_queue(system, log_documents, name, tmp_path):
    with (
        full_logger() as address,
        own_service(system, "broker", LOGGER_RPC_ADDRESS=address, SPOOL_DIR=str(tmp_path)) as url,
    ):
        refused = log(system, name, "rpc", url=url)
        other = log(system, name, "grpc", url=url)
        many = requests.post(f"{url}/api/v1/logs?via=rpc", json=[{"name": name, "data": "y"}] * 3, timeout=15)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert (many.status_code, many.headers["Retry-After"]) == (429, "1")
    assert other.json()["data"]["stored"] == "mongodb"
    assert log(system, name, "amqp", data="the last").status_code == 202
    all_stored_once(log_documents, name, 2)
