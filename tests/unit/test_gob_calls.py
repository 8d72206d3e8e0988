"""Both ends of a gob connection speaking to each other, and what a server says of calls that do not fit."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.rpc.calls import CallError, GoStruct, sniff
from common.rpc.gob import (
    CallDecoder,
    CallEncoder,
    GobCall,
    GobError,
    GobReply,
    ReplyDecoder,
    ReplyEncoder,
    struct_fields,
)
from common.rpc.gob.definitions import FIRST_ID, SECOND_ID, define_struct, struct_value
from common.rpc.gob.typedefs import INT, STRING, UINT, Struct
from common.rpc.gob.wire import message, uint

METHOD = "RPCServer.LogInfo"
PAYLOAD = GoStruct("main.RPCPayload", ("Name", "Data"))
CALLS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.text(), st.text()), min_size=1, max_size=5)


def call(argument: object, fields: dict[str, int] | None) -> GobCall:
    struct = None if fields is None else Struct("RPCPayload", tuple(fields.items()))
    return GobCall(METHOD, 0, argument, struct)


@given(calls=CALLS, cuts=st.lists(st.integers(0, 500), max_size=6))
@settings(deadline=None)
def test_calls_arrive_as_they_were_sent_however_the_stream_is_cut(calls, cuts):
    encoder, decoder = CallEncoder(PAYLOAD), CallDecoder()
    sent = b"".join(encoder.encode(seq, METHOD, {"Name": name, "Data": data}) for seq, name, data in calls)
    bounds = [0, *sorted(cut % len(sent) for cut in cuts), len(sent)]

    received = [found for start, end in itertools.pairwise(bounds) for found in decoder.feed(sent[start:end])]

    assert [(found.method, found.seq, struct_fields(found, PAYLOAD)) for found in received] == [
        (METHOD, seq, {"Name": name, "Data": data}) for seq, name, data in calls
    ]
    assert decoder.buffered == 0


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.text(), st.booleans()), min_size=1, max_size=5))
@settings(deadline=None)
def test_replies_arrive_as_they_were_sent(replies):
    encoder, decoder = ReplyEncoder(), ReplyDecoder()
    sent = b""
    for seq, text, failed in replies:
        answered = GobCall(METHOD, seq, {}, None)
        sent += encoder.error(answered, text) if failed else encoder.ok(answered, text)

    assert list(decoder.feed(sent)) == [
        GobReply(METHOD, seq, None, text or "unspecified error") if failed else GobReply(METHOD, seq, text, None)
        for seq, text, failed in replies
    ]


def test_buffered_tells_half_a_message_from_silence():
    decoder = CallDecoder()
    sent = CallEncoder(PAYLOAD).encode(0, METHOD, {"Name": "n"})

    assert list(decoder.feed(sent[:-1])) == []
    assert decoder.buffered > 0
    assert len(list(decoder.feed(sent[-1:]))) == 1
    assert decoder.buffered == 0


def test_an_extra_is_sent_and_read_like_a_field():
    struct = GoStruct("main.P", ("Name",), extras=("ID",))
    sent = CallEncoder(struct).encode(0, METHOD, {"Name": "n", "ID": "5"})

    (received,) = CallDecoder().feed(sent)

    assert struct_fields(received, struct) == {"Name": "n", "ID": "5"}
    assert struct_fields(received, PAYLOAD) == {"Name": "n", "Data": ""}


@pytest.mark.parametrize(
    ("argument", "fields", "text"),
    [
        ("event", None, "gob: type mismatch in decoder: want struct type main.RPCPayload; got non-struct"),
        ({}, {"Host": STRING}, "gob: type mismatch: no fields matched compiling decoder for RPCPayload"),
        ({}, {"Name": STRING, "Data": UINT}, "gob: wrong type (string) for received field RPCPayload.Data"),
        ({}, {"name": STRING}, "gob: type mismatch: no fields matched compiling decoder for RPCPayload"),
    ],
)
def test_an_argument_that_does_not_fit_fails_in_the_words_of_go(argument, fields, text):
    with pytest.raises(CallError) as raised:
        struct_fields(call(argument, fields), PAYLOAD)

    assert raised.value.text == text


def test_a_struct_without_fields_is_the_zero_value_as_in_go():
    assert struct_fields(call({}, {}), PAYLOAD) == {"Name": "", "Data": ""}


def test_an_extra_of_another_type_is_passed_over():
    struct = GoStruct("main.P", ("Name",), extras=("ID",))

    assert struct_fields(call({"Name": "n", "ID": 7}, {"Name": STRING, "ID": UINT}), struct) == {"Name": "n", "ID": ""}


def test_a_field_that_is_no_utf8_fails_its_call_and_not_the_connection():
    encoder = CallEncoder(PAYLOAD)
    sent = encoder.encode(0, METHOD, {"Name": "n", "Data": "dd"}).replace(b"dd", b"\xff\xfe")

    bad, good = CallDecoder().feed(sent + encoder.encode(1, METHOD, {"Name": "n"}))

    with pytest.raises(CallError, match=r"RPCPayload\.Data is not valid UTF-8"):
        struct_fields(bad, PAYLOAD)
    assert struct_fields(good, PAYLOAD) == {"Name": "n", "Data": ""}


def test_bytes_in_a_string_that_nobody_reads_do_no_harm():
    sent = CallEncoder(PAYLOAD).encode(0, METHOD, {"Name": "n", "Data": "dd"}).replace(b"dd", b"\xff\xfe")

    (received,) = CallDecoder().feed(sent)

    assert struct_fields(received, GoStruct("main.P", ("Name",))) == {"Name": "n"}
    assert struct_fields(received, GoStruct("main.P", ("Name",), extras=("Data",))) == {"Name": "n", "Data": ""}


def test_a_method_that_is_no_utf8_is_answered_in_utf8():
    odd = GobCall("X.\udcff", 0, {}, None)
    with pytest.raises(CallError) as raised:
        odd.check({METHOD})

    (reply,) = ReplyDecoder().feed(ReplyEncoder().error(odd, raised.value.text))

    assert reply.error == "rpc: can't find service X.\ufffd"


def test_an_unknown_method_fails_in_the_words_of_go():
    with pytest.raises(CallError, match=r"rpc: can't find method RPCServer\.LogInfo"):
        call({}, {}).check({"RPCServer.Other"})


HEADER = define_struct(FIRST_ID, "Request", ("ServiceMethod", "Seq"))
ODD_HEADER = define_struct(FIRST_ID, "Request", ("Seq", "ServiceMethod"))
STRING_VALUE = message(bytes.fromhex("0c00026869"))


@pytest.mark.parametrize(
    "stream",
    [
        STRING_VALUE * 2,
        ODD_HEADER.replace(uint(UINT << 1) + b"\0", uint(STRING << 1) + b"\0", 1)
        + struct_value(FIRST_ID, ("seven", "M.N"))
        + STRING_VALUE,
        HEADER.replace(uint(UINT << 1) + b"\0\0", uint(INT << 1) + b"\0\0")
        + struct_value(FIRST_ID, ("M.N", 1))
        + STRING_VALUE,
    ],
    ids=["no struct", "seq a string", "seq negative"],
)
def test_a_header_that_is_none_ends_the_stream(stream):
    with pytest.raises(GobError):
        list(CallDecoder().feed(stream))


def test_a_call_before_the_garbage_is_still_delivered():
    sent = CallEncoder(PAYLOAD).encode(0, METHOD, {"Name": "n"})
    received = []

    with pytest.raises(GobError):
        received.extend(CallDecoder().feed(sent + b"\x00\x00"))

    assert [found.seq for found in received] == [0]


def test_a_reply_with_a_body_of_another_type_is_handed_over_as_it_is():
    head = define_struct(FIRST_ID, "Response", ("ServiceMethod", "Seq", "Error"))
    body = define_struct(SECOND_ID, "Count", ("Seq",)) + struct_value(SECOND_ID, (5,))

    (reply,) = ReplyDecoder().feed(head + struct_value(FIRST_ID, (METHOD, 0, "")) + body)

    assert reply.result == {"Seq": 5}


@pytest.mark.parametrize(
    ("head", "codec"), [(b"/\xff", "gob"), (b'{"', "json"), (b"[{", "json"), (b"GE", "json"), (b" \n", "json")]
)
def test_the_first_two_bytes_tell_the_codec(head, codec):
    assert sniff(head) == codec


def test_one_byte_is_too_little_to_tell_the_codec():
    with pytest.raises(ValueError, match="two bytes"):
        sniff(b"/")
