"""Passing on another service's answer as it comes, against a peer that sends just these bytes."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, Response

from common.web.access import Access, access
from common.web.app import create_flask
from common.web.relay import relay
from common.web.sse import retry
from common.web.stream_client import StreamClient
from common.web.streams import Client
from tests.services import free_port
from tests.waiting import eventually

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nServer: other\r\n"
CHUNKED = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


class Someone(Client):
    def __init__(self) -> None:
        super().__init__(None, threading.Event())
        self.gone = False

    @property
    def is_gone(self) -> bool:
        return self.gone

    def send_away(self) -> None:
        self._stopping.set()


class Peer:
    """Answers one request with `sends`, then hangs up, unless it is to stay. `head` is the request that came."""

    def __init__(self, *sends: bytes, stays: bool = False) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sends = sends
        self._stays = stays
        self.head = b""
        self.left = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.settimeout(10)
            while b"\r\n\r\n" not in self.head:
                self.head += connection.recv(65536)
            for piece in self._sends:
                connection.sendall(piece)
            if self._stays:
                while connection.recv(65536):
                    pass
                self.left.set()

    def close(self) -> None:
        self._thread.join(10)
        self._server.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture
def someone() -> Someone:
    return Someone()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    opened: list[Peer] = []

    def begin(*sends: bytes, stays: bool = False) -> Peer:
        opened.append(Peer(*sends, stays=stays))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


def gateway(port: int, client: Client, *, silence: float = 5) -> Flask:
    service = StreamClient("store", f"http://127.0.0.1:{port}", timeout=1, silence=silence)
    app = create_flask("relay", checks={})

    @app.get("/api/stream")
    @access(Access.PUBLIC)
    def stream() -> Response:
        return relay(service, client)

    return app


def test_bytes_are_passed_on_as_they_are_with_the_headers_that_belong_to_them(peer, someone):
    far = peer(CHUNKED, chunk(b"id: 1\n"), chunk(b"data: x\n\n"), END)

    with gateway(far.port, someone).test_client().get("/api/stream") as reply:
        assert reply.data == b"id: 1\ndata: x\n\n"
        assert reply.headers["Content-Type"] == "text/event-stream"
        assert reply.headers["X-Accel-Buffering"] == "no"
        assert "Server" not in reply.headers


def test_the_question_is_passed_on_with_its_place_and_the_identity_of_the_request(peer, someone):
    far = peer(CHUNKED, END)

    with (
        gateway(far.port, someone)
        .test_client()
        .get(
            "/api/stream?q=a+b%20c&name=\xfc&x=%",
            headers={"Last-Event-ID": "7", "X-Request-Id": "r1", "Cookie": "secret"},
        ) as reply
    ):
        assert reply.data == b""

    first, _, rest = far.head.decode().partition("\r\n")
    assert first == "GET /api/stream?q=a+b%20c&name=%C3%BC&x=% HTTP/1.1"
    assert "Last-Event-ID: 7\r\n" in rest
    assert "X-Request-Id: r1\r\n" in rest
    assert "secret" not in rest


def test_a_refusal_is_passed_on_whole(peer, someone):
    body = b'{"status":429}'
    far = peer(
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 5\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )

    with gateway(far.port, someone).test_client().get("/api/stream") as reply:
        assert (reply.status_code, reply.data) == (429, body)
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.headers["Retry-After"] == "5"


def test_a_service_that_is_not_there_is_a_503(someone):
    with gateway(free_port(), someone).test_client().get("/api/stream") as reply:
        assert (reply.status_code, reply.json["detail"]) == (503, "store cannot be reached")
        assert "Retry-After" in reply.headers


def test_a_service_that_does_not_begin_to_answer_is_a_504(peer, someone):
    far = peer(stays=True)

    with gateway(far.port, someone).test_client().get("/api/stream") as reply:
        assert (reply.status_code, reply.json["detail"]) == (504, "store did not answer in time")


@pytest.mark.parametrize("rest", [b"", b"ff\r\nhalf", b"no chunk\r\n"])
def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(peer, someone, rest, caplog):
    far = peer(CHUNKED, chunk(b"data: x\n\n"), rest)

    with (
        gateway(far.port, someone).test_client().get("/api/stream", buffered=False) as reply,
        pytest.raises(ConnectionResetError),
    ):
        list(reply.iter_encoded())

    assert "stream_broken" in caplog.messages


def test_an_answer_that_goes_silent_breaks_off(peer, someone):
    far = peer(CHUNKED, chunk(b"data: x\n\n"), stays=True)

    with (
        gateway(far.port, someone, silence=0.2).test_client().get("/api/stream", buffered=False) as reply,
        pytest.raises(ConnectionResetError),
    ):
        list(reply.iter_encoded())

    assert far.left.wait(5)


def test_when_the_client_is_gone_the_service_is_let_go(peer, someone, caplog):
    caplog.set_level(logging.INFO, logger="request")
    far = peer(CHUNKED, chunk(b"data: x\n\n"), stays=True)

    with gateway(far.port, someone).test_client().get("/api/stream", buffered=False) as reply:
        pieces = reply.iter_encoded()
        assert next(pieces) == b"data: x\n\n"
        someone.gone = True
        assert list(pieces) == []

    assert far.left.wait(5)
    line = next(record for record in caplog.records if record.message == "stream_ended")
    assert (line.end, line.bytes) == ("client", 9)


@pytest.mark.parametrize(("sent", "last"), [(b"data: x\n\n", [retry()]), (b"data: hal", [])])
def test_a_stop_of_the_gateway_ends_a_stream_with_a_hint_unless_it_is_in_the_middle_of_an_event(
    peer, someone, sent, last
):
    far = peer(CHUNKED, chunk(sent), stays=True)

    with gateway(far.port, someone).test_client().get("/api/stream", buffered=False) as reply:
        pieces = reply.iter_encoded()
        assert next(pieces) == sent
        someone.send_away()
        assert list(pieces) == last


def test_what_has_an_end_is_let_finish_when_the_gateway_is_to_stop(peer, someone):
    far = peer(CHUNKED.replace(b"text/event-stream", b"application/x-ndjson"), chunk(b"{}\n"), END)
    someone.send_away()

    with gateway(far.port, someone).test_client().get("/api/stream") as reply:
        assert reply.data == b"{}\n"


def test_nothing_is_looked_after_when_no_stream_is_open():
    eventually(lambda: not any(thread.name == "lookout" for thread in threading.enumerate()), seconds=5)
