"""Our JSON-RPC against what Go programs wrote: the same bytes in give the same bytes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.rpc.calls import CallError
from common.rpc.jsonrpc import ReplyDecoder, encode_call
from tests.go.record import ESCAPES, JSONRPC_CASES
from tests.go.served import JsonSession

GOLDEN = Path(__file__).resolve().parents[2] / "protos" / "golden"
ROWS: list[dict[str, Any]] = json.loads((GOLDEN / "jsonrpc_conversations.json").read_text())


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_the_recording_holds_every_case_of_the_recorder():
    assert [(row["case"], row["send"]) for row in ROWS] == list(JSONRPC_CASES.items())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_our_server_answers_a_conversation_as_go_does(row):
    session = JsonSession()

    answer = session.take(row["send"].encode())

    assert (answer.decode(), session.closed) == (row["receive"], row["closed"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_our_server_answers_alike_when_every_byte_comes_alone(row):
    session = JsonSession()
    answer = b""

    for byte in row["send"].encode():
        if not session.closed:
            answer += session.take(bytes([byte]))

    assert (answer.decode(), session.closed) == (row["receive"], row["closed"])


def test_our_client_writes_the_calls_of_a_go_client():
    params = {"Name": "event", "Data": ESCAPES}

    calls = b"".join(encode_call(number, "RPCServer.LogInfo", params) for number in (0, 1))

    assert calls == golden("jsonrpc_calls.bin")


def test_our_server_gives_a_go_client_its_values_back_unharmed():
    received = []

    def keep(fields):
        received.append(fields)
        return "kept"

    JsonSession(keep).take(golden("jsonrpc_calls.bin"))

    assert received == [{"Name": "event", "Data": ESCAPES}] * 2


def test_our_server_writes_the_replies_of_a_go_server():
    calls = b"".join(encode_call(number, "RPCServer.LogInfo", {"Name": ESCAPES}) for number in (0, 1))

    assert JsonSession().take(calls) == golden("jsonrpc_replies.bin")


def test_our_server_writes_the_errors_of_a_go_server():
    def refuse(_fields):
        raise CallError(f"no: {ESCAPES}")

    assert JsonSession(refuse).take(golden("jsonrpc_calls.bin")) == golden("jsonrpc_errors.bin")


def test_our_client_reads_the_replies_of_a_go_server():
    replies = list(ReplyDecoder().feed(golden("jsonrpc_replies.bin")))

    assert [(reply.id, reply.result, reply.error) for reply in replies] == [
        (number, f"Processed payload via RPC:{ESCAPES}", None) for number in (0, 1)
    ]


def test_our_client_reads_the_errors_of_a_go_server():
    replies = list(ReplyDecoder().feed(golden("jsonrpc_errors.bin")))

    assert [(reply.id, reply.result, reply.error) for reply in replies] == [
        (number, None, f"no: {ESCAPES}") for number in (0, 1)
    ]


def test_the_event_of_a_go_broker_is_tab_indented_json():
    body = golden("amqp_event.json")

    assert body.startswith(b'{\n\t"name": "event",\n\t"data": ')
    assert json.loads(body) == {"name": "event", "data": ESCAPES}
