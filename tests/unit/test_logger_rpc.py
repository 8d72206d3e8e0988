"""The TCP port end to end over real sockets, with the store in memory."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.clock import SystemClock
from common.errors import BadReplyError, DeadlineError, TooManyError, UnavailableError
from common.rpc import gob
from common.rpc.calls import GoStruct, failure_kind
from common.rpc.jsonrpc_client import JsonRpcClient
from common.rpc.tcp_server import Limits, TcpServer
from logger.memory.store import MemoryLogStore
from logger.rpc_methods import RpcMethods
from logger.rpc_sessions import SniffingSession
from logger.service import LogService
from logger.writer import LogWriter
from tests.services import free_port
from tests.waiting import eventually


class FailingStore(MemoryLogStore):
    failure: Exception | None = None

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def insert(self, entries):
        self.asked.set()
        assert self.open.wait(10)
        if self.failure:
            raise self.failure
        return super().insert(entries)


@pytest.fixture
def store():
    return FailingStore()


@pytest.fixture
def server(store):
    writer = LogWriter(store)
    writer.start()
    methods = RpcMethods(LogService(store, writer, SystemClock()))
    server = TcpServer("127.0.0.1", 0, lambda: SniffingSession(methods), limits=Limits(connections=3, message=0.2))
    server.start()
    yield server
    server.stop()
    writer.stop()


@pytest.fixture
def connect(server):
    """Opens connections that are closed at the end."""
    opened: list[socket.socket] = []

    def open_one() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def lines(connection: socket.socket, count: int) -> list[dict]:
    with connection.makefile("rb") as reader:
        return [json.loads(reader.readline()) for _ in range(count)]


def call(number: object, name: str = "event", **more: str) -> bytes:
    params = {"Name": name, "Data": "text", **more}
    return json.dumps({"method": "RPCServer.LogInfo", "params": [params], "id": number}).encode() + b"\n"


def test_pipelined_calls_are_all_answered_by_their_ids(connect, store):
    connection = connect()

    connection.sendall(b"".join(call(number) for number in range(500)))

    replies = lines(connection, 500)
    assert sorted(reply["id"] for reply in replies) == list(range(500))
    assert {reply["result"] for reply in replies} == {"Processed payload via RPC:event"}
    assert len(store) == 500


def test_members_that_our_own_callers_add_are_kept(connect, store):
    connection = connect()

    connection.sendall(call(0, ID="order-1", Level="ERROR", RequestID="req-1"))
    lines(connection, 1)

    entry = store.find("order-1")
    assert (entry.level, entry.request_id, entry.protocol) == ("ERROR", "req-1", "rpc")


def test_members_of_another_type_under_our_added_names_are_ignored_as_go_would(connect, store):
    connection = connect()

    connection.sendall(
        b'{"method":"RPCServer.LogInfo","params":[{"Name":"event","Data":"text","ID":7,"Level":null}],"id":0}\n'
    )

    assert lines(connection, 1)[0]["error"] is None
    assert len(store) == 1


def test_one_refused_call_does_not_keep_its_neighbours_out(connect, store):
    connection = connect()

    connection.sendall(call(0) + call(1, name="") + call(2))

    replies = {reply["id"]: reply for reply in lines(connection, 3)}
    assert replies[1] == {"id": 1, "result": None, "error": "name: must not be empty"}
    assert replies[0]["error"] is None
    assert replies[2]["error"] is None
    assert len(store) == 2


def test_a_lone_surrogate_is_refused_and_the_connection_goes_on(connect, store):
    connection = connect()

    connection.sendall(call(0).replace(b"text", b"\\ud800") + call(1))

    first, second = lines(connection, 2)
    assert "Unicode" in first["error"]
    assert second["error"] is None
    assert len(store) == 1


def test_a_store_that_is_away_is_an_error_string_and_the_connection_goes_on(connect, store):
    connection = connect()
    store.failure = UnavailableError("the log store's database cannot be used now")
    connection.sendall(call(0))
    assert lines(connection, 1) == [
        {"id": 0, "result": None, "error": "unavailable: the log store's database cannot be used now"}
    ]

    store.failure = None
    connection.sendall(call(1))

    assert lines(connection, 1)[0]["error"] is None


def test_a_batch_of_version_2_is_answered_by_one_list(connect):
    connection = connect()
    one = {"jsonrpc": "2.0", "method": "RPCServer.LogInfo", "params": {"Name": "event", "Data": "x"}, "id": "a"}
    two = {"jsonrpc": "2.0", "method": "RPCServer.Nothing", "id": "b"}

    connection.sendall(json.dumps([one, two]).encode() + b"\n")

    (replies,) = lines(connection, 1)
    assert replies[0]["result"] == "Processed payload via RPC:event"
    assert replies[1]["error"]["code"] == -32601


def batch(*payloads: object, number: int = 0) -> bytes:
    return json.dumps({"method": "RPCServer.LogBatch", "params": [list(payloads)], "id": number}).encode() + b"\n"


def test_a_batch_of_entries_is_answered_entry_by_entry(connect, store):
    connection = connect()
    event = {"Name": "event", "Data": "text"}

    connection.sendall(batch(event | {"ID": "a"}, {"name": "", "data": ""}, 5, {"Name": 5}, None, event | {"ID": "a"}))

    (reply,) = lines(connection, 1)
    assert (reply["id"], reply["error"]) == (0, None)
    assert reply["result"] == [
        {"ID": "a", "Outcome": "stored", "Reason": ""},
        {"ID": "", "Outcome": "refused", "Reason": "name: must not be empty"},
        {
            "ID": "",
            "Outcome": "refused",
            "Reason": "json: cannot unmarshal number into Go value of type main.RPCPayload",
        },
        {
            "ID": "",
            "Outcome": "refused",
            "Reason": "json: cannot unmarshal number into Go struct field RPCPayload.Name of type string",
        },
        {"ID": "", "Outcome": "refused", "Reason": "name: must not be empty"},
        {"ID": "a", "Outcome": "duplicate", "Reason": ""},
    ]
    assert len(store) == 1


def test_entries_of_a_batch_keep_what_they_say_and_share_a_request_otherwise(connect, store):
    connection = connect()
    event = {"Name": "event", "Data": "text"}
    own = {
        "RequestID": "req-1",
        "TraceID": "4bf92f3577b34da6a3ce929d0e0e4736",
        "SpanID": "00f067aa0ba902b7",
        "Category": "audit",
    }

    connection.sendall(
        batch(event | {"ID": "a"}, event | {"ID": "b"}, event | own | {"ID": "c", "Fields": '{"n":9007199254740993}'})
    )
    lines(connection, 1)

    first, second, third = map(store.find, "abc")
    assert (first.request_id, first.trace_id) == (second.request_id, second.trace_id)
    assert (third.request_id, third.trace_id, third.span_id, third.category) == tuple(own.values())
    assert third.fields == {"n": 9007199254740993}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ("5", "json: cannot unmarshal number into Go value of type [1]interface {}"),
        ('[{"Name":"a"}]', "json: cannot unmarshal object into Go value of type []main.RPCPayload"),
        ("null", "jsonrpc: request body missing params"),
        ("[[" + ",".join(["{}"] * 1001) + "]]", "a call may carry 1000 entries at most"),
    ],
)
def test_what_is_no_batch_is_an_error_and_the_connection_goes_on(connect, store, params, error):
    connection = connect()

    connection.sendall(b'{"method":"RPCServer.LogBatch","params":%b,"id":3}\n' % params.encode() + call(4))

    refused, answered = lines(connection, 2)
    assert refused == {"id": 3, "result": None, "error": error}
    assert answered["error"] is None
    assert len(store) == 1


@pytest.mark.parametrize("params", ["[]", "[null]", "[[]]"])
def test_a_batch_without_entries_is_answered_by_an_empty_list(connect, params):
    connection = connect()

    connection.sendall(b'{"method":"RPCServer.LogBatch","params":%b,"id":3}\n' % params.encode())

    assert lines(connection, 1) == [{"id": 3, "result": [], "error": None}]


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (TooManyError("no room"), "too many requests: no room"),
        (UnavailableError("away"), "unavailable: away"),
        (DeadlineError("silent"), "timeout: silent"),
    ],
)
def test_the_error_text_tells_a_full_an_absent_and_a_silent_store_apart(connect, store, failure, text):
    connection = connect()
    store.failure = failure

    connection.sendall(call(0) + batch({"Name": "event"}, number=1) + call(2).replace(b'{"m', b'{"jsonrpc":"2.0","m'))

    first, second, third = lines(connection, 3)
    assert first["error"] == second["error"] == text
    assert third["error"] == {"code": -32000, "message": text}
    assert failure_kind(text) is failure.kind


def test_half_a_message_and_then_silence_ends_the_connection(connect, store):
    connection = connect()

    connection.sendall(call(0) + call(1)[:20])

    assert lines(connection, 1)[0]["id"] == 0
    assert connection.recv(1) == b""
    assert len(store) == 1


def test_a_message_that_drips_in_ends_the_connection_too(connect):
    connection = connect()

    def drip() -> None:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            connection.sendall(b" ")
            time.sleep(0.01)  # slow: a flood would meet the limit of 1 MiB instead

    connection.sendall(b'{"method":')
    with ThreadPoolExecutor(1) as pool, pytest.raises((ConnectionError, OSError)):
        pool.submit(drip).result(10)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"[1,2]\n", b'"text"\n', b"\x00\xff\x00"])
def test_what_is_no_call_closes_the_connection_without_an_answer(connect, store, garbage):
    connection = connect()

    connection.sendall(garbage)

    assert connection.recv(100) == b""
    assert len(store) == 0


def test_more_than_a_mebibyte_closes_the_connection(connect, store):
    connection = connect()

    def send() -> None:
        for _ in range(64):
            connection.sendall(b'{"method":"' + b"x" * 65536)
        connection.recv(1)
        connection.sendall(b"x")

    with pytest.raises(ConnectionError):
        send()
    assert len(store) == 0


def test_connections_beyond_the_limit_are_closed_at_once(connect):
    kept = [connect() for _ in range(3)]
    for number, connection in enumerate(kept):
        connection.sendall(call(number))
        lines(connection, 1)

    assert connect().recv(1) == b""


def test_a_gob_caller_is_answered_in_gob_on_the_same_port(connect, store):
    connection = connect()
    encoder = gob.CallEncoder(GoStruct("main.RPCPayload", ("Name", "Data")))
    decoder = gob.ReplyDecoder()

    connection.sendall(encoder.encode(0, "RPCServer.LogInfo", {"Name": "event", "Data": "text"}))
    connection.sendall(encoder.encode(1, "RPCServer.Nothing", {"Name": "event", "Data": "text"}))
    replies: list[gob.GobReply] = []
    while len(replies) < 2:
        replies += decoder.feed(connection.recv(65536))

    assert replies[0].result == "Processed payload via RPC:event"
    assert replies[1].error == "rpc: can't find method RPCServer.Nothing"
    assert len(store) == 1


def test_a_first_byte_alone_is_waited_for(connect):
    connection = connect()

    connection.sendall(b"{")
    connection.sendall(call(0)[1:])

    assert lines(connection, 1)[0]["id"] == 0


def test_our_client_keeps_a_connection_and_survives_its_end(server, store):
    client = JsonRpcClient("logger", f"127.0.0.1:{server.port}", timeout=2)
    params = {"Name": "event", "Data": "text"}
    assert client.call("RPCServer.LogInfo", params).result == "Processed payload via RPC:event"
    (connection,) = client._idle
    connection._socket.shutdown(socket.SHUT_RDWR)

    assert client.call("RPCServer.LogInfo", params).error is None
    assert len(store) == 2
    client.close()


def test_a_thread_that_cannot_be_had_costs_one_connection_and_not_the_door(connect, monkeypatch):
    start = threading.Thread.start
    refused: list[str] = []

    def refuse_once(thread: threading.Thread) -> None:
        if thread.name == "tcp-connection" and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    assert connect().recv(1) == b""

    connection = connect()
    connection.sendall(call(0))

    assert lines(connection, 1)[0]["error"] is None


def test_a_hang_up_after_the_call_was_sent_is_an_unknown_outcome():
    with socket.create_server(("127.0.0.1", 0)) as rude, ThreadPoolExecutor(1) as pool:

        def hang_up() -> None:
            connection, _ = rude.accept()
            with connection:
                connection.recv(65536)

        done = pool.submit(hang_up)
        with pytest.raises(DeadlineError):
            JsonRpcClient("logger", f"127.0.0.1:{rude.getsockname()[1]}", timeout=2).call("A.B", {})
        done.result(5)


def test_our_client_tells_silence_absence_and_nonsense_apart():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(DeadlineError):
            JsonRpcClient("logger", address, timeout=0.1).call("A.B", {})
    with pytest.raises(UnavailableError):
        JsonRpcClient("logger", address, timeout=0.5).call("A.B", {})

    with socket.create_server(("127.0.0.1", 0)) as rude, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            connection, _ = rude.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        done = pool.submit(answer)
        with pytest.raises(BadReplyError):
            JsonRpcClient("logger", f"127.0.0.1:{rude.getsockname()[1]}", timeout=2).call("A.B", {})
        done.result(5)


def test_a_connection_on_which_nothing_comes_is_closed_after_a_while(store):
    methods = RpcMethods(LogService(store, LogWriter(store), SystemClock()))
    server = TcpServer("127.0.0.1", free_port(), lambda: SniffingSession(methods), limits=Limits(idle=0.2))
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            assert connection.recv(1) == b""
    finally:
        server.stop()


def test_a_call_that_is_under_way_at_the_stop_is_answered(connect, server, store):
    store.open.clear()
    connection = connect()
    connection.sendall(call(7))
    assert store.asked.wait(10)

    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(server.stop)
        eventually(server._stopping.is_set)
        store.open.set()
        (answer,) = lines(connection, 1)
        stopping.result(10)

    assert (answer["id"], answer["error"]) == (7, None)


@pytest.mark.parametrize("shared", [True, False])
def test_another_server_gets_the_port_only_when_both_are_to_share_it(shared):
    def server(port: int) -> TcpServer:
        return TcpServer("127.0.0.1", port, lambda: pytest.fail("nobody connects"), shared=shared)

    first = server(free_port())
    first.start()
    second = server(first.port)
    try:
        if shared:
            second.start()
        else:
            with pytest.raises(OSError, match="in use"):
                second.start()
    finally:
        second.stop()
        first.stop()
