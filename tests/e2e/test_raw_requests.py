"""Requests that no HTTP library sends: cut, stretched, half. They get their answer, store nothing and hold nothing up."""

from __future__ import annotations

import contextlib
import gzip
import json
import secrets
import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.services import own_service
from tests.waiting import eventually

MIB = 1024 * 1024
HEAD = "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}\r\n"


@pytest.fixture(params=["broker", "logger"])
def service(request) -> str:
    return request.param


@pytest.fixture
def name() -> str:
    return f"raw-{secrets.token_hex(6)}"


def connected(system, service: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(system.env[f"{service.upper()}_PORT"])), timeout=20)


def send(system, service: str, body: bytes, extra: str, *, ending: bool = False) -> str:
    """The status line and all that follows, for a body under headers that need not fit it."""
    path = "/log" if service == "logger" else "/log-grpc"
    with connected(system, service) as connection:
        connection.sendall(HEAD.format(path=path, extra=f"Connection: close\r\n{extra}").encode() + body)
        if ending:
            connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read().decode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def entry(name: str, data: str = "x") -> bytes:
    return json.dumps({"name": name, "data": data}).encode()


def test_a_chunked_body_counts_like_any_other(system, log_documents, service, name):
    answer = send(system, service, chunk(entry(name)) + b"0\r\n\r\n", "Transfer-Encoding: chunked\r\n")

    assert answer.startswith("HTTP/1.1 202")
    assert log_documents.count_documents({"name": name}) == 1


@pytest.mark.parametrize(
    ("padding", "rest"), [(MIB, b"{}"), (3 * MIB, b"")], ids=["a second value behind the limit", "three times too long"]
)
def test_a_chunked_body_over_the_limit_is_refused_whole(system, log_documents, service, name, padding, rest):
    body = chunk(entry(name).ljust(padding) + rest) + b"0\r\n\r\n"

    assert send(system, service, body, "Transfer-Encoding: chunked\r\n").startswith("HTTP/1.1 413")
    assert log_documents.count_documents({"name": name}) == 0


def test_a_body_that_ends_before_its_length_is_refused(system, log_documents, service, name):
    answer = send(system, service, entry(name), "Content-Length: 1000\r\n", ending=True)

    assert answer.startswith("HTTP/1.1 400")
    assert log_documents.count_documents({"name": name}) == 0


def test_a_compressed_body_is_refused_unread_and_the_connection_goes_on(system, log_documents, service, name):
    url = system.url(service, "/log" if service == "logger" else "/log-grpc")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with requests.Session() as session:
        refused = session.post(
            url, data=gzip.compress(entry(name, secrets.token_hex(200_000))), headers=headers, timeout=15
        )
        taken = session.post(url, data=entry(name), headers={"Content-Type": "application/json"}, timeout=15)

    assert (refused.status_code, refused.headers["Accept-Encoding"]) == (415, "identity")
    assert taken.status_code == 202
    assert log_documents.count_documents({"name": name}) == 1


def test_chunks_that_are_none_are_the_callers_fault(system, service):
    answer = send(system, service, b"zz\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n", ending=True)

    assert answer.startswith("HTTP/1.1 400")
    assert "Traceback" not in answer


@pytest.mark.parametrize(
    ("service", "room", "path"),
    [("broker", {"BROKER_CONNECTIONS": "8"}, "/handle"), ("mailer", {"MAILER_THREADS": "8"}, "/send")],
)
def test_more_half_requests_than_there_is_room_for_hold_a_service_up_for_seconds_only(system, service, room, path):
    half = HEAD.format(path=path, extra="Content-Length: 1000\r\n").encode() + b"{"
    with own_service(system, service, **room) as url, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", urlsplit(url).port)
        halves = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(16)]
        for connection in halves:
            connection.sendall(half)
        started = time.monotonic()
        eventually(lambda: requests.get(f"{url}/ping", timeout=3).status_code == 200, seconds=30)
        assert time.monotonic() - started < 25
        assert halves[0].recv(100).startswith(b"HTTP/1.1 400")


def test_clients_that_never_hang_up_do_not_keep_the_door_shut(system):
    closing = b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    lingering = [connected(system, "frontend") for _ in range(10)]
    try:
        for connection in lingering:
            connection.sendall(closing)
        started = time.monotonic()
        assert requests.get(system.url("frontend", "/livez"), timeout=10).status_code == 200
        assert time.monotonic() - started < 5
    finally:
        for connection in lingering:
            connection.close()


def test_half_a_header_is_given_up(system):
    with connected(system, "broker") as connection:
        connection.sendall(b"POST /handle HTTP/1.1\r\nHost: x\r\nContent-")

        assert b"200" not in connection.recv(1000)


@pytest.mark.parametrize("via", ["http", "rpc", "grpc", "amqp"])
def test_every_protocol_takes_the_same_large_entry(system, log_documents, name, via):
    body = {"action": "log", "log": {"name": name, "data": "<&>" * 100_000, "via": via}}

    assert system.post("broker", "/handle", body).status_code == 202
    eventually(lambda: log_documents.count_documents({"name": name}) == 1)


@pytest.mark.parametrize("via", ["http", "rpc", "grpc", "amqp"])
@pytest.mark.parametrize("spare", [0, 5000])
def test_at_the_limit_every_protocol_says_the_same_and_keeps_its_word(system, log_documents, name, via, spare):
    body = {"action": "log", "log": {"name": name, "data": "", "via": via}}
    body["log"]["data"] = "d" * (MIB - len(json.dumps(body, separators=(",", ":"))) - spare)
    raw = json.dumps(body, separators=(",", ":")).encode()
    assert len(raw) == MIB - spare

    reply = system.post_raw("broker", "/handle", raw, **{"Content-Type": "application/json"})

    assert reply.status_code == (202 if spare else 413)
    if spare:
        eventually(lambda: log_documents.count_documents({"name": name}) == 1)
    else:
        assert log_documents.count_documents({"name": name}) == 0
