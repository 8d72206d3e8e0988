"""Parts die, are killed and come back; the rest goes on. The defects of the Go system that these prove absent are named."""

from __future__ import annotations

import secrets
import time

import pytest
import requests

from tests.outages import paused, stopped
from tests.waiting import eventually

SERVICES = ("auth", "broker", "frontend", "keeper", "logger", "mailer", "worker")
LOGIN = {"action": "auth", "auth": {"email": "admin@example.com", "password": "verysecret"}}


def log(system, name: str, via: str) -> requests.Response:
    return system.post("broker", "/handle", {"action": "log", "log": {"name": name, "data": "x", "via": via}})


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_is_back_within_ten_seconds_and_status_says_so(system, service):
    before = system.part(service)["restarts"]

    system.kill(service)

    eventually(lambda: system.part(service)["restarts"] == before + 1, seconds=10)
    system.wait_ready(service, seconds=10)
    line = next(line for line in system.command("status").stdout.splitlines() if line.startswith(f"{service} "))
    assert line.split()[1] == "ready"
    assert line.split()[3] == str(before + 1)


def test_without_the_logger_logins_and_mail_go_on_and_events_wait(system, log_documents):
    """In the Go system nobody logs in without the logger, and events are dropped while nobody listens."""
    name = f"waiting-{secrets.token_hex(4)}"
    logins = log_documents.count_documents({"name": "authentication"})
    mail = {"from": "a@b.example", "to": "c@d.example", "subject": "s", "message": "m"}
    with stopped(system, "logger"):
        assert system.post("broker", "/handle", LOGIN).status_code == 202
        assert system.post("broker", "/handle", {"action": "mail", "mail": mail}).status_code == 202
        assert log(system, name, "amqp").status_code == 202
        assert log(system, name, "rpc").json()["data"]["stored"] == "queued"
        assert requests.get(system.url("broker", "/readyz"), timeout=5).json()["degraded"] is True

    eventually(lambda: log_documents.count_documents({"name": name}) == 2)
    eventually(lambda: log_documents.count_documents({"name": "authentication"}) == logins + 1)


def test_without_rabbitmq_the_other_protocols_go_on_and_all_reconnect_by_themselves(system, log_documents):
    """The Go system keeps one AMQP connection for life."""
    name = f"reconnect-{secrets.token_hex(4)}"
    with stopped(system, "rabbitmq"):
        assert log(system, name, "rpc").status_code == 202
        assert system.post("broker", "/handle", LOGIN).status_code == 202
        started = time.monotonic()
        assert log(system, name, "amqp").json()["data"]["via"] == "rpc"
        assert time.monotonic() - started < 3

    eventually(lambda: log(system, f"{name}-after", "amqp").json()["data"]["via"] == "amqp", seconds=20)
    eventually(lambda: log_documents.find_one({"name": f"{name}-after", "protocol": "amqp"}), seconds=30)


def test_many_calls_leave_no_connection_behind(system):
    """The Go system leaks a connection for each call."""

    def open_connections() -> int:
        import psutil  # noqa: PLC0415 - comes with the runner's packages

        port = int(system.env["LOGGER_RPC_PORT"])
        pids = [system.part("logger")["pid"]]
        children = [child for pid in pids for child in psutil.Process(pid).children(recursive=True)]
        return sum(
            1
            for process in children
            for connection in process.net_connections(kind="tcp")
            if connection.status == "ESTABLISHED" and connection.laddr.port == port
        )

    for _ in range(50):
        assert log(system, "leak", "rpc").status_code == 202

    # one for each lane of shared calls, one for replay
    assert open_connections() <= 3


@pytest.mark.parametrize("via", ["rpc", "grpc", "http"])
def test_a_paused_logger_costs_the_caller_one_short_wait_and_no_entry(system, log_documents, via):
    """The Go system has no time-outs."""
    name = f"paused-{secrets.token_hex(4)}"
    with paused(system, "logger"):
        started = time.monotonic()
        reply = log(system, name, via)
        elapsed = time.monotonic() - started

    assert (reply.status_code, reply.json()["data"]["stored"]) == (202, "queued")
    assert elapsed < 2 * float(system.env["LOG_PATIENCE"])
    eventually(lambda: log(system, "resumed", via).json()["data"]["stored"] == "mongodb")
    eventually(lambda: log_documents.count_documents({"name": name}) == 1)
