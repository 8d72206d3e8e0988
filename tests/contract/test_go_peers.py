"""Unmodified Go programs with net/rpc on one end of a socket, our codecs on the other."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from common.rpc import gob, jsonrpc
from common.rpc.calls import CallError
from common.rpc.jsonrpc_client import JsonRpcClient
from tests.go.peers import Outcome, call_from_go, go_server
from tests.go.record import ESCAPES
from tests.go.served import PAYLOAD, serve

CODECS = ("json", "gob")
METHOD = "RPCServer.LogInfo"


@pytest.mark.parametrize("codec", CODECS)
def test_a_go_client_is_served_in_its_own_codec_on_the_same_port(codec):
    with serve() as address:
        outcomes = call_from_go(address, codec=codec, name=ESCAPES)

    assert outcomes == [Outcome(0, f"Processed payload via RPC:{ESCAPES}", "")]


@pytest.mark.parametrize("codec", CODECS)
def test_two_thousand_pipelined_calls_of_a_go_client_all_get_their_answer(codec):
    with serve() as address:
        outcomes = call_from_go(address, codec=codec, n=2000, pipeline=100, name="p")

    assert outcomes == [Outcome(call, "Processed payload via RPC:p", "") for call in range(2000)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_call_of_many_segments_arrives_whole(codec):
    sizes = []

    def measure(fields):
        sizes.append(len(fields["Data"]))
        return "measured"

    with serve(measure) as address:
        outcomes = call_from_go(address, codec=codec, data="x" * 100_000, n=2)

    assert sizes == [100_000, 100_000]
    assert [outcome.error for outcome in outcomes] == ["", ""]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"method": "RPCServer.Nothing"}, "rpc: can't find method RPCServer.Nothing"),
        ({"method": "Nobody.LogInfo"}, "rpc: can't find service Nobody.LogInfo"),
        ({"method": "LogInfo"}, "rpc: service/method request ill-formed: LogInfo"),
    ],
)
def test_a_go_client_reads_why_a_call_failed_and_goes_on(codec, options, error):
    with serve() as address:
        outcomes = call_from_go(address, codec=codec, n=3, **options)

    assert outcomes == [Outcome(call, "", error) for call in range(3)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_failing_method_does_not_cost_a_go_client_its_connection(codec):
    answers = iter(["first", CallError("second fails"), "third"])

    def answer(_fields):
        reply = next(answers)
        if isinstance(reply, CallError):
            raise reply
        return reply

    with serve(answer) as address:
        outcomes = call_from_go(address, codec=codec, n=3)

    assert outcomes == [Outcome(0, "first", ""), Outcome(1, "", "second fails"), Outcome(2, "third", "")]


@pytest.mark.parametrize(("codec", "mode"), [("json", "wide"), ("gob", "wide"), ("gob", "exotic")])
def test_more_fields_than_ours_in_a_go_struct_do_no_harm(codec, mode):
    with serve(lambda fields: f"{fields['Name']}={fields['Data']}") as address:
        outcomes = call_from_go(address, codec=codec, mode=mode, n=2, name="n", data="d")

    assert outcomes == [Outcome(0, "n=d", ""), Outcome(1, "n=d", "")]


def test_a_go_server_over_json_understands_our_client():
    with go_server("json") as server, socket.create_connection(server.address, timeout=5) as connection:
        decoder = jsonrpc.ReplyDecoder()
        connection.sendall(jsonrpc.encode_call(7, METHOD, {"Name": "n", "Data": ESCAPES}))
        reply = first_of(connection, decoder)

        assert reply == jsonrpc.Reply(7, "Processed payload via RPC:n", None)
        assert server.received() == {"Name": "n", "Data": ESCAPES}


def test_a_go_server_over_gob_understands_our_client():
    with go_server("gob") as server, socket.create_connection(server.address, timeout=5) as connection:
        encoder, decoder = gob.CallEncoder(PAYLOAD), gob.ReplyDecoder()
        for seq in range(2):
            connection.sendall(encoder.encode(seq, METHOD, {"Name": "n", "Data": ESCAPES}))
            reply = first_of(connection, decoder)

            assert reply == gob.GobReply(METHOD, seq, "Processed payload via RPC:n", None)
            assert server.received() == {"Name": "n", "Data": ESCAPES}


@pytest.mark.parametrize("codec", CODECS)
def test_our_client_reads_the_error_of_a_go_method(codec):
    with (
        go_server(codec, fail="disk full") as server,
        socket.create_connection(server.address, timeout=5) as connection,
    ):
        if codec == "gob":
            connection.sendall(gob.CallEncoder(PAYLOAD).encode(0, METHOD, {"Name": "n"}))
            reply = first_of(connection, gob.ReplyDecoder())
        else:
            connection.sendall(jsonrpc.encode_call(0, METHOD, {"Name": "n"}))
            reply = first_of(connection, jsonrpc.ReplyDecoder())

    assert (reply.result, reply.error) == (None, "disk full")


def test_the_pooled_client_of_our_services_can_call_a_go_logger():
    with go_server("json") as server:
        client = JsonRpcClient("logger", f"{server.address[0]}:{server.address[1]}", timeout=5)
        replies = [client.call(METHOD, {"Name": f"n{number}", "Data": "d", "ID": "x"}) for number in range(3)]
        client.close()

        assert [reply.result for reply in replies] == [f"Processed payload via RPC:n{number}" for number in range(3)]
        assert server.received() == {"Name": "n0", "Data": "d"}


def first_of(connection: socket.socket, decoder: Any) -> Any:
    while data := connection.recv(65536):
        for reply in decoder.feed(data):
            return reply
    raise AssertionError("the Go server hung up")
