"""What a caller writes and how it understands any server's reply."""

from __future__ import annotations

import json

import pytest

from common.rpc.jsonrpc import FramingError, Reply, ReplyDecoder, encode_call


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
