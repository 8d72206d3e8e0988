"""The benchmark's own generators against scripted servers on real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.bench import jsonrpc_generator, rate_generator
from tests.bench.wrk import Request

OK = b"HTTP/1.1 202 ACCEPTED\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
BUSY = OK.replace(b"202 ACCEPTED", b"429 TOO MANY")


@contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """Calls `handle` in a thread of its own for each connection. The address to connect to."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    def serve(peer: socket.socket) -> None:
        with peer:
            handle(peer)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def answering(answer: Callable[[int], bytes], bodies: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """Answers each request; `answer` gets the number of the request on all connections together."""
    lock, count = threading.Lock(), [0]

    def handle(peer: socket.socket) -> None:
        while data := peer.recv(65_536):
            with lock:
                count[0] += 1
                number = count[0]
            if bodies is not None:
                bodies.append(data)
            if not (reply := answer(number)):
                return
            peer.sendall(reply)

    return handle


def load(address: str, capsys: pytest.CaptureFixture[str], *, rate: float = 200, seconds: float = 0.5) -> dict:
    """The totals that the generator prints for its one, shortened minute."""
    request = Request(f"http://{address}/handle", '{"name":"event-##########"}').raw()
    rate_generator.Generator(request, address, rate, seconds / 60).run()
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


@pytest.fixture(autouse=True)
def few_connections(monkeypatch):
    monkeypatch.setattr(rate_generator, "CONNECTIONS", 8)


def test_the_rate_is_kept_and_no_two_requests_are_the_same(capsys):
    bodies: list[bytes] = []
    began = time.perf_counter()

    with serving(answering(lambda _: OK, bodies)) as address:
        told = load(address, capsys)

    assert (told["acknowledged"], told["errors"]) == (100, 0)
    assert time.perf_counter() - began >= 0.45
    assert len(set(bodies)) == 100


def test_requests_that_had_to_wait_for_a_stalled_server_are_charged_the_whole_time(capsys):
    """A closed loop would have sent eight requests in the meantime, and seen only these eight as slow."""
    stalled = threading.Event()

    def answer(number: int) -> bytes:
        if number <= 8:
            stalled.wait(0.3)
        return OK

    with serving(answering(answer)) as address:
        told = load(address, capsys)

    assert told["acknowledged"] == 100
    assert told["max_ms"] >= 280
    assert told["p50_ms"] > 10


def test_every_request_is_accounted_for_when_the_server_falls_far_behind(capsys, monkeypatch):
    monkeypatch.setattr(rate_generator, "_MINUTE", 0.1)
    monkeypatch.setattr(rate_generator, "_LATE", 0.05)
    slow = threading.Event()

    def answer(number: int) -> bytes:
        slow.wait(0.05)
        return OK

    with serving(answering(answer)) as address:
        request = Request(f"http://{address}/handle", "{}").raw()
        rate_generator.Generator(request, address, 400, 2).run()

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 2
    assert sum(minute["acknowledged"] for minute in told) == 80


def test_a_refusal_is_an_error_and_the_load_goes_on(capsys):
    with serving(answering(lambda number: BUSY if number == 10 else OK)) as address:
        told = load(address, capsys)

    assert (told["acknowledged"], told["errors"]) == (99, 1)


def test_a_lost_connection_is_an_error_and_is_made_anew(capsys):
    with serving(answering(lambda number: b"" if number % 10 == 0 else OK)) as address:
        told = load(address, capsys)

    assert (told["acknowledged"], told["errors"]) == (90, 10)


@pytest.mark.parametrize(("answer", "whole"), [(OK, True), (OK[:-1], False), (b"HTTP/1.1 204 NO CONTENT\r\n", False)])
def test_an_answer_is_whole_when_its_body_is_there(answer, whole):
    assert rate_generator.is_whole(answer) is whole


def rpc(reply: Callable[[dict], dict | None]) -> Callable[[socket.socket], None]:
    def handle(peer: socket.socket) -> None:
        with peer.makefile("rb") as lines:
            for line in lines:
                if (answer := reply(json.loads(line))) is None:
                    return
                peer.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")

    return handle


def test_calls_are_pipelined_and_each_has_its_own_entry():
    names: list[str] = []

    def reply(call: dict) -> dict:
        names.append(call["params"][0]["Name"])
        return {"id": call["id"], "result": "Processed", "error": None}

    with serving(rpc(reply)) as address:
        told = jsonrpc_generator.Generator(address, 2, "tag").run(0.2)

    assert told["errors"] == 0
    assert told["acknowledged_in_all"] == len(names) == len(set(names))
    assert told["acknowledged"] > 2 * jsonrpc_generator.WINDOW
    assert all(name.startswith("tag-") for name in names)


def test_an_error_in_an_answer_is_counted():
    def reply(call: dict) -> dict:
        return {"id": call["id"], "result": None, "error": "too many requests: "} if call["id"] == 5 else ok(call)

    with serving(rpc(reply)) as address:
        told = jsonrpc_generator.Generator(address, 1, "tag").run(0.1)

    assert told["errors"] == 1


def test_calls_on_a_lost_connection_count_as_failed():
    with serving(rpc(lambda call: ok(call) if call["id"] < 3 else None)) as address:
        told = jsonrpc_generator.Generator(address, 1, "tag").run(0.2)

    assert told["acknowledged_in_all"] == 2
    assert told["errors"] >= jsonrpc_generator.WINDOW - 2


def ok(call: dict) -> dict:
    return {"id": call["id"], "result": "Processed", "error": None}
