"""The doors of the log store as the gateway uses them, against peers on real sockets: ours, and such as the Go original's."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import orjson
import pytest

from broker.clients.chunks import chunks
from broker.clients.log_events import LogEvents
from broker.clients.logger_grpc import LoggerGrpcDoor
from broker.clients.logger_http import LoggerHttpDoor
from broker.clients.logger_rpc import LoggerRpcDoor
from broker.domain import LogOrder, Receipt, Result, Via
from common.amqp.link import Message
from common.errors import (
    AppError,
    BadReplyError,
    DeadlineError,
    InvalidError,
    Problem,
    TooManyError,
    UnavailableError,
)
from common.rpc.grpc_client import GrpcClient
from common.rpc.jsonrpc_client import JsonRpcClient
from common.web.client import JsonClient
from protos import logs_pb2, logs_pb2_grpc
from protos.limits import MAX_BULK_BODY
from tests.services import free_port


def order(name: str, data: str = "data") -> LogOrder:
    trace = "a" * 32
    return LogOrder(
        id=f"id-{name}",
        name=name,
        data=data,
        level="INFO",
        service="test",
        timestamp="2026-01-02T03:04:05Z",
        request_id="r-1",
        trace_id=trace,
        span_id="b" * 16,
        traceparent=f"00-{trace}-{'c' * 16}-01",
        fields={"n": 2**60},
        category="audit",
    )


def orders(names: str) -> list[LogOrder]:
    return [order(name) for name in names]


def told(results: Sequence[Result]) -> list[object]:
    return [each.fate if isinstance(each, Receipt) else (type(each), each.message) for each in results]


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [
        ([], []),
        ([3], [(0, 1)]),
        ([3, 3, 3, 3, 3], [(0, 2), (2, 4), (4, 5)]),
        ([1, 1, 1, 1], [(0, 3), (3, 4)]),
        ([9, 1, 20, 1], [(0, 1), (1, 2), (2, 3), (3, 4)]),
    ],
)
def test_calls_stay_within_the_limits_and_what_is_too_large_goes_alone(sizes, runs):
    found = [(each.start, each.stop) for each in chunks(sizes, max_items=3, max_bytes=8)]

    assert found == runs


# --- HTTP -----------------------------------------------------------------------------------------------------------


class Peer(ThreadingHTTPServer):
    """Answers paths as told; remembers what it was sent."""

    def __init__(self, answers: dict[str, tuple[int, object]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.seen: list[tuple[str, object, str]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Peer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, orjson.loads(body), self.headers.get("X-Request-Id", "")))
        status, answer = self.server.answers.get(self.path, (404, {}))
        if callable(answer):
            answer = answer(orjson.loads(body))
        text = orjson.dumps(answer)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def http_peer(answers: dict[str, tuple[int, object]]) -> Iterator[tuple[Peer, LoggerHttpDoor]]:
    with Peer(answers) as peer:
        thread = threading.Thread(target=peer.serve_forever, daemon=True)
        thread.start()
        client = JsonClient("logger", f"http://127.0.0.1:{peer.server_port}", timeout=5)
        yield peer, LoggerHttpDoor(client, write_timeout=5)
        for session in client._idle:
            session.close()
        peer.shutdown()
        thread.join(5)


def test_http_many_entries_are_one_request_and_each_has_its_outcome():
    answer = {
        "stored": "mongodb",
        "results": [{"outcome": "stored"}, {"outcome": "duplicate"}, {"outcome": "refused", "reason": "name: no"}],
    }
    with http_peer({"/api/v1/logs": (207, answer)}) as (peer, door):
        results = door.write_many(orders("abc"))

    assert told(results) == ["stored", "duplicate", (InvalidError, "name: no")]
    ((_, sent, _),) = peer.seen
    assert list(sent[0])[:2] == ["name", "data"]
    assert (sent[0]["fields"], sent[0]["category"]) == ({"n": 2**60}, "audit")
    assert (sent[0]["request_id"], sent[0]["trace_id"], sent[0]["span_id"]) == ("r-1", "a" * 32, "b" * 16)


def test_http_one_entry_is_a_request_of_the_seeds_with_the_identity_of_its_own_request():
    with http_peer({"/log": (202, {"error": False, "message": "logged"})}) as (peer, door):
        assert door.write_many(orders("a")) == [Receipt("stored", "logged", Via.HTTP)]

    ((path, sent, request_id),) = peer.seen
    assert (path, sent["id"], request_id) == ("/log", "id-a", "r-1")


def test_http_a_go_logger_is_asked_for_bulk_once_and_gets_one_entry_at_a_time():
    with http_peer({"/log": (202, {"error": False, "message": "logged"})}) as (peer, door):
        assert told(door.write_many(orders("ab"))) == ["stored", "stored"]
        assert told(door.write_many(orders("cd"))) == ["stored", "stored"]

    assert [path for path, _, _ in peer.seen] == ["/api/v1/logs", "/log", "/log", "/log", "/log"]


def test_http_a_go_logger_that_is_gone_is_not_asked_for_every_entry():
    with http_peer({"/log": (503, {"error": True, "message": "away"})}) as (peer, door):
        results = door.write_many(orders("abc"))

    assert told(results) == [(UnavailableError, "away")] * 3
    assert [path for path, _, _ in peer.seen] == ["/api/v1/logs", "/log"]


def test_http_when_all_are_refused_each_knows_its_own_fault():
    problem = {"detail": "no entry is valid", "errors": [{"pointer": "#/1/name", "detail": "bad"}]}
    with http_peer({"/api/v1/logs": (422, problem)}) as (_, door):
        first, second = door.write_many(orders("ab"))

    assert isinstance(first, InvalidError)
    assert isinstance(second, InvalidError)
    assert (first.problems, second.problems) == ((), (Problem("#/name", "bad"),))


def test_http_more_than_one_body_may_hold_is_sent_in_several():
    def answer(body: list[object]) -> object:
        return {"results": [{"outcome": "stored"}] * len(body)}

    with http_peer({"/api/v1/logs": (200, answer)}) as (peer, door):
        results = door.write_many([order(name, "x" * (MAX_BULK_BODY // 4)) for name in "abcdef"])

    assert told(results) == ["stored"] * 6
    assert [len(body) for _, body, _ in peer.seen] == [3, 3]


@pytest.mark.parametrize(
    ("status", "kind"), [(429, TooManyError), (503, UnavailableError), (504, DeadlineError), (200, BadReplyError)]
)
def test_http_a_call_that_fails_as_a_whole_says_how(status, kind):
    with http_peer({"/api/v1/logs": (status, {"detail": "why"})}) as (_, door), pytest.raises(kind):
        door.write_many(orders("ab"))


# --- JSON-RPC -------------------------------------------------------------------------------------------------------


@contextmanager
def rpc_peer(errors: dict[str, str]) -> Iterator[tuple[list[dict[str, object]], LoggerRpcDoor]]:
    """A server of one connection, with these error texts for entries of these names."""
    seen: list[dict[str, object]] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            for line in stream:
                call = json.loads(line)
                seen.append(call["params"][0])
                name = call["params"][0]["Name"]
                result = None if name in errors else f"Processed payload via RPC: {name}"
                answer = {"id": call["id"], "result": result, "error": errors.get(name)}
                connection.sendall(json.dumps(answer).encode() + b"\n")

    with listener, ThreadPoolExecutor(1) as pool:
        done = pool.submit(serve)
        client = JsonRpcClient("logger", f"127.0.0.1:{listener.getsockname()[1]}", timeout=5)
        yield seen, LoggerRpcDoor(client)
        client.close()
        done.result(5)


def test_rpc_each_entry_has_its_own_answer_in_the_far_sides_words():
    with rpc_peer({}) as (seen, door):
        results = door.write_many(orders("ab"))

    assert [each.words for each in results] == ["Processed payload via RPC: a", "Processed payload via RPC: b"]
    assert list(seen[0])[:2] == ["Name", "Data"]
    assert orjson.loads(seen[0]["Fields"]) == {"n": 2**60}
    assert (seen[0]["TraceID"], seen[0]["SpanID"], seen[0]["RequestID"]) == ("a" * 32, "b" * 16, "r-1")
    assert seen[0]["Category"] == "audit"


def test_rpc_error_texts_tell_no_room_from_absence_from_an_unknown_outcome():
    errors = {
        "a": "too many requests: no room now",
        "b": "unavailable: the store is away",
        "c": "timeout: not confirmed",
        "d": "dial tcp 10.0.0.7:27017: refused",
    }
    with rpc_peer(errors) as (_, door):
        results = door.write_many(orders("abcde"))

    assert told(results) == [
        (TooManyError, "no room now"),
        (UnavailableError, "the store is away"),
        (DeadlineError, "not confirmed"),
        (BadReplyError, "logger did not store the entry"),
        "stored",
    ]


# --- gRPC -----------------------------------------------------------------------------------------------------------


class GoLogger(logs_pb2_grpc.LogServiceServicer):
    """Knows WriteLog only."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def WriteLog(self, request, context):  # noqa: N802 - gRPC's name
        self.calls.append(("WriteLog", 1))
        return logs_pb2.LogResponse(result="logged!")


class OurLogger(GoLogger):
    def __init__(self, failure: tuple[grpc.StatusCode, str] | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.entries: list[logs_pb2.Log] = []
        self.release = threading.Event()
        self.release.set()
        self.entered = threading.Event()

    def WriteLogs(self, request, context):  # noqa: N802 - gRPC's name
        self.calls.append(("WriteLogs", len(request.entries)))
        self.entries += request.entries
        self.entered.set()
        self.release.wait(10)
        if self.failure:
            context.abort(*self.failure)
        kinds = {"dup": logs_pb2.WriteResult.DUPLICATE, "bad": logs_pb2.WriteResult.REFUSED}
        return logs_pb2.WriteLogsResponse(
            results=[logs_pb2.WriteResult(outcome=kinds.get(each.name, 0), reason="why") for each in request.entries]
        )


@contextmanager
def grpc_peer(logger: GoLogger) -> Iterator[tuple[grpc.Server, LoggerGrpcDoor]]:
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 8 * 1024 * 1024)])
    logs_pb2_grpc.add_LogServiceServicer_to_server(logger, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = GrpcClient("logger", f"127.0.0.1:{port}", timeout=5)
    yield server, LoggerGrpcDoor(client)
    client.close()
    server.stop(None).wait(5)


def test_grpc_many_entries_are_one_call_and_each_has_its_outcome():
    logger = OurLogger()
    with grpc_peer(logger) as (_, door):
        results = door.write_many([order("a"), order("dup"), order("bad")])

    assert told(results) == ["stored", "duplicate", (InvalidError, "why")]
    assert logger.calls == [("WriteLogs", 3)]
    entry = logger.entries[0]
    assert (entry.id, entry.span_id, entry.trace_id, entry.request_id) == ("id-a", "b" * 16, "a" * 32, "r-1")
    assert (orjson.loads(entry.fields_json), entry.category) == ({"n": 2**60}, "audit")


def test_grpc_a_go_logger_is_asked_for_bulk_once_and_gets_one_entry_at_a_time():
    logger = GoLogger()
    with grpc_peer(logger) as (_, door):
        assert told(door.write_many(orders("ab"))) == ["stored", "stored"]
        assert told(door.write_many(orders("c"))) == ["stored"]

    assert logger.calls == [("WriteLog", 1)] * 3


def test_grpc_more_than_a_message_may_hold_is_sent_in_several():
    logger = OurLogger()
    with grpc_peer(logger) as (_, door):
        results = door.write_many([order(name, "x" * 1_000_000) for name in "abcdefghijkl"])

    assert told(results) == ["stored"] * 12
    assert [count for _, count in logger.calls] == [8, 4]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TooManyError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineError),
        (grpc.StatusCode.INTERNAL, BadReplyError),
    ],
)
def test_grpc_a_call_that_fails_as_a_whole_says_how(status, kind):
    with grpc_peer(OurLogger((status, "the log store says so"))) as (_, door), pytest.raises(kind):
        door.write_many(orders("ab"))


def test_grpc_a_connection_lost_after_sending_is_an_unknown_outcome_and_before_it_is_not():
    logger = OurLogger()
    logger.release.clear()
    with grpc_peer(logger) as (server, door), ThreadPoolExecutor(1) as pool:
        call = pool.submit(door.write_many, orders("a"))
        assert logger.entered.wait(5)
        server.stop(None)
        with pytest.raises(DeadlineError, match="logger"):
            call.result(10)
        logger.release.set()

    client = GrpcClient("logger", f"127.0.0.1:{free_port()}", timeout=5)
    with pytest.raises(UnavailableError, match="logger cannot be reached"):
        LoggerGrpcDoor(client).write_many(orders("a"))
    client.close()


# --- AMQP -----------------------------------------------------------------------------------------------------------


class Publishing:
    """A publisher that tells each message's outcome by its id."""

    def __init__(self, errors: dict[str, AppError]) -> None:
        self.errors = errors
        self.messages: list[Message] = []

    def outcomes(self, messages: list[Message], *, timeout: float | None = None) -> list[AppError | None]:
        self.messages += messages
        assert timeout == 2.0
        return [self.errors.get(message.message_id) for message in messages]


def test_amqp_each_entry_has_its_own_outcome_and_carries_its_identity():
    publisher = Publishing({"id-b": UnavailableError("no queue takes this message")})
    results = LogEvents(publisher, patience=2.0).write_many(orders("ab"))  # type: ignore[arg-type]  # a stand-in

    assert told(results) == ["queued", (UnavailableError, "no queue takes this message")]
    message = publisher.messages[0]
    body = orjson.loads(message.body)
    assert (message.routing_key, message.message_id) == ("log.INFO", "id-a")
    assert list(body)[:2] == ["name", "data"]
    assert body["category"] == "audit"
    assert (body["fields"], body["span_id"], body["trace_id"]) == ({"n": 2**60}, "b" * 16, "a" * 32)
    assert message.headers == {"X-Request-Id": "r-1", "traceparent": f"00-{'a' * 32}-{'c' * 16}-01"}
