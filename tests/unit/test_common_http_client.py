from __future__ import annotations

import socket
import threading
import time

import pytest

from common.errors import (
    BadReplyError,
    DeadlineError,
    InvalidError,
    TooLargeError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from common.web.client import JsonClient, Reply


@pytest.fixture
def serve():
    """A server that reads one request and answers with these bytes, or hangs up, or is silent (None)."""
    listeners: list[socket.socket] = []
    over = threading.Event()

    def start(answer: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if answer is None:
                    over.wait(30)
                else:
                    connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    over.set()
    for listener in listeners:
        listener.close()


def http(status: str, body: bytes, extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


@pytest.mark.parametrize(("usual", "own"), [(0.3, None), (30, 0.3)])
def test_silence_costs_the_time_out_and_the_outcome_is_unknown(serve, usual, own):
    started = time.monotonic()

    with pytest.raises(DeadlineError):
        JsonClient("auth", serve(None), timeout=usual).post("/x", {}, timeout=own)

    assert time.monotonic() - started < 4


def test_a_hang_up_after_sending_is_an_unknown_outcome(serve):
    with pytest.raises(DeadlineError):
        JsonClient("auth", serve(b""), timeout=2).post("/x", {})


def test_what_cannot_be_reached_was_not_asked_and_its_address_is_not_told():
    with pytest.raises(UnavailableError) as failure:
        JsonClient("auth", "http://127.0.0.1:9", timeout=2).post("/x", {})

    assert failure.value.message == "auth cannot be reached"


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{"])
def test_an_answer_of_the_wrong_kind_is_a_bad_reply(serve, body):
    with pytest.raises(BadReplyError):
        JsonClient("auth", serve(http("200 OK", body)), timeout=2).get("/x")


def test_calls_one_after_the_other_share_a_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = JsonClient("auth", f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=5)

        def answer_twice() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(2):
                    connection.recv(65536)
                    connection.sendall(http("200 OK", b"{}"))

        thread = threading.Thread(target=answer_twice, daemon=True)
        thread.start()

        assert [client.get("/x").status for _ in range(2)] == [200, 200]
        thread.join(5)


def test_a_proxy_in_the_environment_is_for_others(serve, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert JsonClient("auth", serve(http("200 OK", b"{}")), timeout=5).get("/x").status == 200


def test_a_redirect_is_not_followed(serve):
    reply = JsonClient("auth", serve(http("302 Found", b"", "Location: http://127.0.0.1:9/\r\n")), timeout=2).get("/x")

    assert reply.status == 302


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, UnauthenticatedError),
        (413, TooLargeError),
        (422, InvalidError),
        (429, TooManyError),
        (503, UnavailableError),
        (504, DeadlineError),
        (500, BadReplyError),
        (302, BadReplyError),
    ],
)
def test_each_status_keeps_its_meaning(status, error):
    client = JsonClient("auth", "http://127.0.0.1:9", timeout=1)

    with pytest.raises(error):
        client.accepted(Reply(status, {"error": True, "message": "no"}))
