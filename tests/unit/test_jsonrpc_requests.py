"""What a server hears and says, beyond what Go itself does: JSON-RPC 2.0, ids kept exactly, strings that are no Unicode."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.rpc.calls import CallError, Code, GoStruct
from common.rpc.jsonrpc import Batch, FramingError, Request, RequestDecoder, field, reply_error, reply_ok, struct_fields
from tests.go.served import JsonSession

CALL = b'{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":{"Name":"e"},"id":1}'
NOTIFICATION = b'{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":{"Name":"e"}}'


def only(data: bytes) -> Request:
    (request,) = RequestDecoder().feed(data)
    assert isinstance(request, Request)
    return request


def answers(data: bytes) -> list[object]:
    return [json.loads(line) for line in JsonSession().take(data).splitlines()]


def error(code: int, *, call_id: object = 1) -> dict[str, object]:
    meanings = {-32600: "Invalid Request", -32601: "Method not found", -32602: "Invalid params"}
    return {"jsonrpc": "2.0", "id": call_id, "error": {"code": code, "message": meanings[code]}}


def without_data(answer: dict) -> dict:
    return {**answer, "error": {key: value for key, value in answer["error"].items() if key != "data"}}


@pytest.mark.parametrize("params", ['{"Name":"e"}', '[{"Name":"e"}]', '{"name":"e","other":[1]}'])
def test_a_2_0_call_is_answered_in_2_0(params):
    call = f'{{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":{params},"id":"x"}}\n'

    assert JsonSession().take(call.encode()) == b'{"jsonrpc":"2.0","id":"x","result":"Processed payload via RPC:e"}\n'


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ('{"jsonrpc":"2.0","method":"RPCServer.No","id":1}', error(-32601)),
        ('{"jsonrpc":"2.0","method":"nothing","id":1}', error(-32601)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","id":1}', error(-32602)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":"e","id":1}', error(-32602)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":["e"],"id":1}', error(-32602)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":{"Name":5},"id":1}', error(-32602)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","params":{"Name":"\\ud800"},"id":1}', error(-32602)),
        ('{"jsonrpc":"2.0","method":5,"id":1}', error(-32600)),
        ('{"jsonrpc":"2.0","id":1}', error(-32600)),
        ('{"jsonrpc":"2.0","method":5}', error(-32600, call_id=None)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","id":[1]}', error(-32600, call_id=None)),
        ('{"jsonrpc":"2.0","method":"RPCServer.LogInfo","id":true}', error(-32600, call_id=None)),
    ],
)
def test_a_faulty_2_0_call_gets_the_code_of_its_fault_and_the_connection_goes_on(call, answer):
    faulty, good = answers(call.encode() + b"\n" + CALL)

    assert without_data(faulty) == answer
    assert good["id"] == 1


def test_the_data_of_a_2_0_error_says_what_was_wrong():
    (answer,) = answers(b'{"jsonrpc":"2.0","method":"RPCServer.No","id":1}')

    assert answer["error"]["data"] == "rpc: can't find method RPCServer.No"


def test_an_error_of_the_method_itself_keeps_its_own_words_in_2_0():
    assert json.loads(reply_error(only(CALL), "disk full"))["error"] == {"code": -32000, "message": "disk full"}


@pytest.mark.parametrize("broken", [CALL[:-1] + b",}", b'{"jsonrpc": "2.0", "method": "foo, "id": 1}\n'])
def test_broken_json_of_a_2_0_caller_is_told_before_the_connection_closes(broken):
    session = JsonSession()

    answer = json.loads(session.take(broken))

    assert answer == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
    assert session.closed


def test_a_2_0_notification_is_carried_out_and_not_answered():
    received = []
    session = JsonSession(lambda fields: received.append(fields["Name"]) or "done")

    assert session.take(NOTIFICATION) == b""
    assert received == ["e"]


def test_a_failing_2_0_notification_is_not_answered_either():
    assert JsonSession().take(b'{"jsonrpc":"2.0","method":"RPCServer.No"}') == b""


def test_null_as_2_0_id_is_no_notification():
    assert answers(CALL.replace(b'"id":1', b'"id":null')) == [
        {"jsonrpc": "2.0", "id": None, "result": "Processed payload via RPC:e"}
    ]


def test_a_batch_is_answered_by_one_list_without_its_notifications():
    (answer,) = answers(
        b"[%b, %b,\n 5, %b, {}]" % (CALL, NOTIFICATION, CALL.replace(b":1}", b":98765432109876543210}"))
    )

    assert [entry["id"] for entry in answer] == [1, None, 98765432109876543210, None]
    assert [entry.get("error", {}).get("code") for entry in answer] == [None, -32600, None, -32600]


def test_a_batch_of_notifications_is_not_answered():
    assert JsonSession().take(b"[%b,%b]\n" % (NOTIFICATION, NOTIFICATION)) == b""


def test_a_batch_with_a_string_that_is_no_unicode_fails_that_call_only():
    (answer,) = answers(b"[%b,%b]" % (CALL.replace(b'"e"', b'"\\udfff"'), CALL))

    assert ["error" in entry for entry in answer] == [True, False]


def test_a_batch_beyond_the_limit_is_refused_as_one():
    (answer,) = answers(b"[" + b",".join([CALL] * 1001) + b"]")

    assert without_data(answer) == error(-32600, call_id=None)


@pytest.mark.parametrize("data", [b"[]", b"[1,2]", b'[{"method":"RPCServer.LogInfo","params":[{}],"id":1}]'])
def test_a_list_in_which_nothing_says_2_0_closes_the_connection_as_go_does(data):
    session = JsonSession()

    assert session.take(data) == b""
    assert session.closed


def test_a_decoder_that_failed_stays_failed():
    decoder = RequestDecoder()
    with pytest.raises(FramingError):
        list(decoder.feed(b'{"method":5}\n'))

    with pytest.raises(FramingError):
        list(decoder.feed(CALL))


@pytest.mark.parametrize("raw", [b'"\\ud800"', b'"\xff"'])
@pytest.mark.parametrize(
    "where", [b'{"method":"RPCServer.LogInfo","params":[{"Data":%b}],"id":3}\n', b'{"method":%b,"id":3}']
)
def test_a_string_that_is_no_unicode_fails_its_call_and_not_the_connection(raw, where):
    faulty, good = answers(where % raw + b'{"method":"RPCServer.LogInfo","params":[{"Name":"e"}],"id":4}')

    assert faulty["id"] == 3
    assert "not valid Unicode" in faulty["error"]
    assert good == {"id": 4, "result": "Processed payload via RPC:e", "error": None}


def test_an_id_that_is_no_utf8_is_answered_by_null():
    (answer,) = answers(b'{"method":"RPCServer.LogInfo","params":[{}],"id":"\xff"}')

    assert answer["id"] is None


def test_nul_in_a_value_is_left_to_the_method():
    request = only(b'{"method":"M.N","params":[{"Name":"a\\u0000b"}],"id":0}')

    assert struct_fields(request, GoStruct("main.P", ("Name",))) == {"Name": "a\0b"}


@pytest.mark.parametrize(
    "raw_id", ["0", "-0", "18446744073709551616", "1e400", "0.10", '"\\/"', '"\\"}"', "null", '[1,"]"]']
)
@pytest.mark.parametrize(
    "pattern", ['{"id":%s,"method":"M.N","params":[{}]}', '{"params":[{"id":9}],"method":"M.N","id" : %s }']
)
def test_an_id_is_echoed_as_it_was_written(raw_id, pattern):
    request = only((pattern % raw_id).encode())

    assert reply_ok(request, "r") == b'{"id":%b,"result":"r","error":null}\n' % raw_id.encode()


@pytest.mark.parametrize(
    ("ids", "echoed"),
    [('"id":1e1,"id":2e1', b"2e1"), ('"id":1e1,"ID":2e1', b"1e1"), ('"ID":1e1', b"1e1"), ('"ID":1e1,"Id":2e1', b"2e1")],
)
def test_of_several_ids_one_is_echoed(ids, echoed):
    request = only(f'{{{ids},"method":"M.N","params":[{{}}]}}'.encode())

    assert request.id == echoed


@given(
    call_id=st.none() | st.integers() | st.text(), params=st.lists(st.dictionaries(st.text(), st.text()), max_size=2)
)
@settings(deadline=None)
def test_any_id_comes_back_with_its_value(call_id, params):
    call = json.dumps({"method": "M.N", "params": params, "id": call_id}).encode()

    assert json.loads(reply_ok(only(call), "r"))["id"] == call_id


@pytest.mark.parametrize(
    ("text", "echoed"),
    [
        (b'{"method":"A.B","params":[{}],"id":0}', b"0"),
        (b'{"method": "A.B", "params": [{}], "id": 0}', b"0"),
        (b'{"id":0,"method":"A.B","params":[{}]}', b"0"),
        (b'{"method":"A.B","params":[{}],"id":-0}', b"-0"),
        (b'{"id":7,"method":"A.B","params":[{"x":1,"id":0}]}', b"7"),
        (b'{"method":"A.B","id":"x","a,\\"id":0}', b'"x"'),
        (b'{"id":7,"method":"A.B","id":0}', b"0"),
    ],
)
def test_a_zero_is_echoed_where_it_is_the_id_and_nowhere_else(text, echoed):
    assert only(text + b"\n").id == echoed


def test_an_error_is_never_empty_for_a_go_client_would_drop_the_connection():
    request = only(b'{"method":"M.N","params":[{}],"id":1}')

    assert json.loads(reply_error(request, ""))["error"] == "unspecified error"


def test_a_lone_surrogate_in_a_reply_becomes_the_replacement_character():
    assert json.loads(reply_ok(only(CALL), "a\ud800"))["result"] == "a\ufffd"


def test_a_call_is_checked_against_the_known_methods_in_the_words_of_go():
    with pytest.raises(CallError, match=r"can't find service Nobody\.LogInfo") as raised:
        only(b'{"method":"Nobody.LogInfo","id":1}').check({"RPCServer.LogInfo"})

    assert raised.value.code is Code.METHOD_NOT_FOUND
    only(b'{"method":"RPCServer.LogInfo","id":1}').check({"RPCServer.LogInfo"})


def test_an_extra_of_another_type_is_passed_over_and_a_field_is_not():
    struct = GoStruct("main.P", ("Name",), extras=("ID",))

    assert struct_fields(only(b'{"method":"M.N","params":[{"Name":"n","ID":5}],"id":1}'), struct) == {
        "Name": "n",
        "ID": "",
    }
    assert struct_fields(only(b'{"method":"M.N","params":[{"id":"5"}],"id":1}'), struct) == {"Name": "", "ID": "5"}
    with pytest.raises(CallError, match=r"P\.Name of type string"):
        struct_fields(only(b'{"method":"M.N","params":[{"Name":5,"ID":"5"}],"id":1}'), struct)


def test_a_member_is_found_exactly_before_it_is_found_in_another_case():
    assert field({"NAME": 1, "Name": 2}, "Name") == 2
    assert field({"nAME": 1}, "Name") == 1
    assert field({"other": 1}, "Name") is None


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\ \n019ntrue', max_size=60).map(str.encode))
@settings(deadline=None, max_examples=300)
def test_random_bytes_give_requests_or_a_framing_error_and_nothing_else(data):
    try:
        messages = list(RequestDecoder().feed(data))
    except FramingError:
        return
    assert all(isinstance(message, Request | Batch) for message in messages)
