"""Our gob against what Go programs wrote: the same bytes in give the same bytes out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.rpc.calls import CallError, GoStruct, sniff
from common.rpc.gob import CallDecoder, CallEncoder, ReplyDecoder, ReplyEncoder, struct_list
from tests.go.record import ESCAPES
from tests.go.served import PAYLOAD, GobSession

GOLDEN = Path(__file__).resolve().parents[2] / "protos" / "golden"
MODES = ("wide", "exotic", "string", "alien", "mistyped")
CLIENT_SAMPLES = ("hello", "calls", "empty", *MODES)


def golden(name: str) -> bytes:
    return (GOLDEN / f"gob_{name}.bin").read_bytes()


@pytest.mark.parametrize("sample", CLIENT_SAMPLES)
def test_a_go_client_is_known_by_its_first_two_bytes(sample):
    assert sniff(golden(f"client_{sample}")[:2]) == "gob"


@pytest.mark.parametrize(
    ("sample", "answer"), [("hello", "hello"), ("calls", "replies"), *zip(MODES, MODES, strict=True)]
)
def test_our_server_answers_a_go_client_with_the_bytes_of_a_go_server(sample, answer):
    session = GobSession()

    assert session.take(golden(f"client_{sample}")) == golden(f"server_{answer}")
    assert not session.closed


@pytest.mark.parametrize("sample", CLIENT_SAMPLES)
def test_our_server_answers_alike_when_every_byte_comes_alone(sample):
    at_once, piecemeal = GobSession(), GobSession()
    sent = golden(f"client_{sample}")

    answer = b"".join(piecemeal.take(bytes([byte])) for byte in sent)

    assert answer == at_once.take(sent)


def test_our_client_writes_the_first_call_of_a_go_client():
    call = CallEncoder(PAYLOAD).encode(0, "RPCServer.LogInfo", {"Name": "event", "Data": "hello"})

    assert call == golden("client_hello")


def test_our_client_writes_three_hundred_calls_of_a_go_client():
    encoder = CallEncoder(PAYLOAD)
    values = {"Name": "event", "Data": ESCAPES}

    calls = b"".join(encoder.encode(seq, "RPCServer.LogInfo", values) for seq in range(300))

    assert calls == golden("client_calls")


def test_our_client_omits_empty_strings_as_a_go_client_does():
    encoder = CallEncoder(PAYLOAD)

    calls = b"".join(encoder.encode(seq, "RPCServer.LogInfo", {"Name": "", "Data": ""}) for seq in range(2))

    assert calls == golden("client_empty")


def test_our_server_fails_a_call_with_the_bytes_of_a_go_server():
    def refuse(_fields):
        raise CallError("no such luck")

    calls = CallEncoder(PAYLOAD)
    sent = b"".join(calls.encode(seq, "RPCServer.LogInfo", {"Name": "event"}) for seq in range(2))

    assert GobSession(refuse).take(sent) == golden("server_errors")


def test_our_server_refuses_an_unknown_method_with_the_bytes_of_a_go_server():
    calls = CallEncoder(PAYLOAD)
    sent = b"".join(calls.encode(seq, "RPCServer.Nothing", {"Name": "event"}) for seq in range(2))

    assert GobSession().take(sent) == golden("server_unknown")


RESULT = GoStruct("main.BatchResult", ("ID", "Outcome", "Reason"))
STORED = {"ID": "id-event", "Outcome": "stored", "Reason": ""}
REFUSED = {"ID": "", "Outcome": "refused", "Reason": "name: must not be empty"}


def test_a_batch_of_a_go_client_is_answered_with_the_bytes_of_a_go_server():
    (call,) = CallDecoder().feed(golden("client_batch"))

    assert [row["Name"] for row in struct_list(call, PAYLOAD)] == ["event", "", "event"]
    assert ReplyEncoder(RESULT).ok_list(call, [STORED, REFUSED, STORED]) == golden("server_batch")


def test_a_batch_after_an_error_on_the_same_connection_defines_its_own_types():
    (call,) = CallDecoder().feed(golden("client_batch"))
    encoder = ReplyEncoder(RESULT)

    answered = encoder.error(call, "no") + encoder.ok_list(call, [STORED]) + encoder.error(call, "no")
    replies = list(ReplyDecoder().feed(answered + encoder.ok_list(call, [REFUSED])))

    assert [reply.error for reply in replies] == ["no", None, "no", None]
    # zero fields are left out
    assert replies[1].result == [{"ID": "id-event", "Outcome": "stored"}]
    assert replies[3].result == [{"Outcome": "refused", "Reason": "name: must not be empty"}]


def test_our_client_reads_three_hundred_replies_of_a_go_server():
    replies = list(ReplyDecoder().feed(golden("server_replies")))

    assert [(reply.seq, reply.result, reply.error) for reply in replies] == [
        (seq, "Processed payload via RPC:event", None) for seq in range(300)
    ]


def test_our_client_reads_the_errors_of_a_go_server():
    replies = list(ReplyDecoder().feed(golden("server_errors")))

    assert [(reply.seq, reply.result, reply.error) for reply in replies] == [
        (0, None, "no such luck"),
        (1, None, "no such luck"),
    ]


def test_every_kind_of_go_value_is_read_on_the_way_to_the_strings():
    first, second = CallDecoder().feed(golden("client_wide"))

    seconds_since_year_1 = int.from_bytes(first.argument.pop("At")[1:9])
    assert (
        seconds_since_year_1
        == (datetime(2022, 3, 14, 15, 9, 26, tzinfo=UTC) - datetime(1, 1, 1, tzinfo=UTC)).total_seconds()
    )
    assert first.argument == {
        "Name": "event",
        "Tags": {"zone": "b"},
        "Numbers": [-1, 0, 1 << 40],
        "Score": 0.5,
        "Urgent": True,
        "Origin": {"Host": "node", "Port": 7},
        "Raw": b"\x00\xff",
        "Matrix": [1, 65535],
        "Data": "hello",
    }
    assert second.seq == 1


def test_what_a_go_program_boxes_in_an_interface_is_stepped_over():
    first, _ = CallDecoder().feed(golden("client_exotic"))

    assert first.argument == {
        "Name": "event",
        "Phase": 1 - 2j,
        "Any": None,
        "Nested": [{"a": {"Host": "inner"}}, {}],
        "Data": "hello",
    }
