"""What a caller writes and how it understands any server's reply."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from common.errors import DeadlineError, UnavailableError
from common.rpc.jsonrpc import FramingError, Reply, ReplyDecoder, encode_call
from common.rpc.jsonrpc_client import JsonRpcClient
from tests.waiting import eventually


def only(data: bytes) -> Reply:
    (reply,) = ReplyDecoder().feed(data)
    return reply


def test_a_call_is_one_line_with_gos_order_of_members():
    call = encode_call(0, "RPCServer.LogInfo", {"Name": "a<b", "Data": "é"})

    assert call == '{"method":"RPCServer.LogInfo","params":[{"Name":"a\\u003cb","Data":"é"}],"id":0}\n'.encode()


@pytest.mark.parametrize("text", ["\\b", "\\\b", "\\\\f\f", '"\b"', "\u2028\u2029<>&", "\x00\x1f\x7f", "\U0001f600"])
def test_escapes_do_not_change_the_value(text):
    assert json.loads(encode_call(1, "M.N", {"Data": text}))["params"] == [{"Data": text}]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ('{"id":0,"result":"","error":null}', Reply(0, "", None)),
        ('{"id":0,"result":"r"}', Reply(0, "r", None)),
        ('{"id":0,"result":null,"error":"why"}', Reply(0, None, "why")),
        ('{"id":0,"result":null,"error":""}', Reply(0, None, "unspecified error")),
        ('{"id":0,"result":null,"error":null}', Reply(0, None, "reply without result and error")),
        ('{"id":null,"result":null,"error":"why"}', Reply(None, None, "why")),
        ('{"id":true,"result":"r","error":null}', Reply(None, "r", None)),
        (
            '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}',
            Reply(1, None, "Method not found"),
        ),
        ('{"jsonrpc":"2.0","id":1,"error":{"code":1}}', Reply(1, None, "unspecified error")),
    ],
)
def test_a_reply_is_a_result_or_an_error_never_neither(line, reply):
    assert only(line.encode()) == reply


def test_replies_in_one_segment_and_in_pieces_are_all_found():
    decoder = ReplyDecoder()

    first = list(decoder.feed(b'{"id":1,"result":"a","error":null}\n{"id":0,"res'))
    second = list(decoder.feed(b'ult":"b","error":null}\n'))

    assert [(reply.id, reply.result) for reply in first + second] == [(1, "a"), (0, "b")]


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n", b"[]\n", b"5\n", b'{"id":}\n'])
def test_what_is_no_reply_ends_the_connection(data):
    with pytest.raises(FramingError):
        list(ReplyDecoder().feed(data))


def call_of(line: bytes) -> tuple[int, str]:
    call = json.loads(line)
    return call["id"], call["params"][0]["Name"]


def answer_to(line: bytes) -> bytes:
    call_id, name = call_of(line)
    return json.dumps({"id": call_id, "result": f"did {name}", "error": None}).encode() + b"\n"


@contextmanager
def far_side(*conversations: Callable[[socket.socket], None]) -> Iterator[JsonRpcClient]:
    """A client, and a server that has one of these conversations on each connection, in turn, and then listens no more."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> None:
        for conversation in conversations:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                conversation(connection)
        listener.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    if not conversations:
        thread.join(5)
    client = JsonRpcClient("logger", address, timeout=60)
    yield client
    client.close()
    thread.join(5)


def params(count: int, *, size: int = 1) -> list[dict[str, object]]:
    return [{"Name": f"n{number}", "Data": "x" * size} for number in range(count)]


def results(client: JsonRpcClient, calls: list[dict[str, object]]) -> list[object]:
    return [each.result if isinstance(each, Reply) else type(each) for each in client.call_many("RPCServer.Do", calls)]


def test_many_calls_are_sent_before_the_first_answer_and_matched_whatever_their_order():
    def backwards(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            lines = [stream.readline() for _ in range(3)]
        for line in reversed(lines):
            connection.sendall(answer_to(line))

    with far_side(backwards) as client:
        assert results(client, params(3)) == ["did n0", "did n1", "did n2"]


def test_what_a_lost_connection_left_unanswered_is_sent_once_more_and_nothing_else():
    again: list[str] = []

    def one_answer(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            connection.sendall(answer_to([stream.readline() for _ in range(3)][1]))

    def the_rest(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            for _ in range(2):
                line = stream.readline()
                again.append(call_of(line)[1])
                connection.sendall(answer_to(line))

    with far_side(one_answer, the_rest) as client:
        assert results(client, params(3)) == ["did n0", "did n1", "did n2"]
    assert again == ["n0", "n2"]


@pytest.mark.parametrize("times", [1, 2])
def test_what_stays_unanswered_is_unknown_and_the_answers_are_kept(times):
    def one_answer(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            lines = [stream.readline() for _ in range(2)]
            if b'"n0"' in lines[0]:
                connection.sendall(answer_to(lines[0]))

    def hang_up(connection: socket.socket) -> None:
        connection.recv(65536)

    with far_side(*[one_answer, hang_up][:times]) as client:
        assert results(client, params(2)) == ["did n0", DeadlineError]


def test_nothing_sent_is_told_apart_from_an_unknown_outcome():
    with far_side() as client, pytest.raises(UnavailableError):
        results(client, params(2))


def test_a_far_side_that_reads_no_further_until_its_answers_are_read_blocks_nobody():
    count, size = 400, 20_000

    def one_by_one(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with connection.makefile("rb") as stream:
            for _ in range(count):
                call_id, name = call_of(stream.readline())
                answer = {"id": call_id, "result": f"did {name}", "error": None, "padding": "y" * size}
                connection.sendall(json.dumps(answer).encode() + b"\n")

    with far_side(one_by_one) as client:
        assert results(client, params(count, size=size)) == [f"did n{number}" for number in range(count)]


def test_an_answer_that_nobody_waits_for_is_passed_over():
    def talkative(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            line = stream.readline()
        connection.sendall(b'{"id":99,"result":"old","error":null}\n' + answer_to(line))

    with far_side(talkative) as client:
        assert results(client, params(1)) == ["did n0"]


def test_a_kept_connection_that_has_ended_is_not_taken_for_one_that_a_call_went_out_on():
    """Else nobody could say that the call was not carried out."""

    def once(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            connection.sendall(answer_to(stream.readline()))

    with far_side(once) as client:
        assert results(client, params(1)) == ["did n0"]
        eventually(lambda: client._idle[0].stale)
        with pytest.raises(UnavailableError):
            results(client, params(1))
