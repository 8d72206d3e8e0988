"""What becomes of a message: the entry it stands for, or the reason why it never can be one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worker.domain import Delivery
from worker.handlers import PoisonError, read, sort

GOLDEN = Path(__file__).parents[2] / "protos" / "golden"
ID = "65f000000000000000000001"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def delivery(body, *, tag=1, key="log.INFO", headers=None, **properties) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(tag, raw, key, headers or {}, properties)


def event(**fields) -> dict:
    return {"name": "event", "data": "hello", **fields}


def test_the_event_of_a_go_publisher_is_read_as_it_was_written():
    raw = (GOLDEN / "amqp_event.json").read_bytes()

    entry = read(delivery(raw, content_type="text/plain"))

    assert entry.name == "event"
    assert entry.data == '<b>&\u2028\t"\\\x08\x0c\x01é'
    assert entry.level == "INFO"


def test_an_event_named_auth_is_kept_although_the_go_listener_drops_it():
    assert read(delivery({"name": "auth", "data": "x"})).name == "auth"


def test_everything_that_a_body_says_is_taken_from_it():
    body = event(
        id=ID,
        level="ERROR",
        service="shop",
        request_id="r-1",
        trace_id=TRACE,
        span_id=SPAN,
        timestamp="2026-03-01T10:00:00+02:00",
        fields={"order": 9007199254740993, "tags": ["a"]},
        category="audit",
    )

    entry = read(delivery(body, key="log.INFO", message_id="other", app_id="other", timestamp=1))

    assert (entry.id, entry.level, entry.service) == (ID, "ERROR", "shop")
    assert (entry.request_id, entry.trace_id, entry.span_id) == ("r-1", TRACE, SPAN)
    assert entry.fields == '{"order":9007199254740993,"tags":["a"]}'
    assert entry.timestamp == "2026-03-01T10:00:00+02:00"
    assert entry.category == "audit"


def test_what_the_body_leaves_open_comes_from_the_message():
    headers = {"X-Request-Id": "r-2", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}

    entry = read(
        delivery(event(), key="log.WARNING", headers=headers, message_id=ID, app_id="shop", timestamp=1_700_000_000)
    )

    assert (entry.id, entry.level, entry.service) == (ID, "WARNING", "shop")
    assert (entry.request_id, entry.trace_id) == ("r-2", TRACE)
    assert entry.timestamp == "2023-11-14T22:13:20+00:00"


def test_an_event_without_any_id_gets_a_new_one_each_time():
    first, second = read(delivery(event())), read(delivery(event()))

    assert len(first.id) == 24
    assert first.id != second.id


def test_a_message_id_that_is_not_printable_becomes_the_same_id_on_every_redelivery():
    first, second = (read(delivery(event(), message_id="{order 7}\n")) for _ in range(2))

    assert first.id == second.id
    assert len(first.id) == 64


@pytest.mark.parametrize(
    ("given", "key", "level"),
    [
        ("error", "log.INFO", "ERROR"),
        ("loud", "log.ERROR", "ERROR"),
        (7, "log.WARNING", "WARNING"),
        (None, "log.debug", "DEBUG"),
        (None, "log.verbose", "INFO"),
        (None, "audit", "INFO"),
    ],
)
def test_the_level_is_the_bodys_or_the_routing_keys_or_info(given, key, level):
    assert read(delivery(event(level=given), key=key)).level == level


@pytest.mark.parametrize(
    "optional",
    [
        {"service": "x" * 65},
        {"service": 5},
        {"request_id": "a b"},
        {"request_id": []},
        {"trace_id": "short"},
        {"span_id": SPAN.upper()},
        {"span_id": 7},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-01-01T00:00:00"},
        {"timestamp": "0001-01-01T00:00:00+14:00"},
        {"timestamp": 1_700_000_000},
    ],
)
def test_an_unusable_detail_does_not_cost_the_event(optional):
    entry = read(delivery(event(**optional)))

    assert entry.data == "hello"
    assert next(iter(optional.values())) not in (
        entry.service,
        entry.request_id,
        entry.trace_id,
        entry.span_id,
        entry.timestamp,
    )


@pytest.mark.parametrize("nothing", [None, {}])
def test_fields_that_hold_nothing_are_left_out(nothing):
    assert read(delivery(event(fields=nothing))).fields == ""


@pytest.mark.parametrize("seconds", [-5, 0, 2**63, True, "now", None])
def test_an_unusable_amqp_timestamp_counts_as_none(seconds):
    assert read(delivery(event(), timestamp=seconds)).timestamp == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "body is not valid JSON"),
        (b"hello", "body is not valid JSON"),
        (b'{"name":"a","data":"b"} {}', "body is not valid JSON"),
        (b'{"name":"a","data":"\xff"}', "body is not valid JSON"),
        (b'{"name":"a","data":"\\ud800"}', "body is not valid JSON"),
        (b"[" * 100_000, "body is not valid JSON"),
        (b'["name","data"]', "body is not a JSON object"),
        (b'"text"', "body is not a JSON object"),
        (b"null", "body is not a JSON object"),
        (b'{"data":"b"}', "name is missing"),
        (b'{"name":null,"data":"b"}', "name is missing"),
        (b'{"name":"a"}', "data is missing"),
        (b'{"name":5,"data":"b"}', "name must be a string"),
        (b'{"name":"a","data":{"b":1}}', "data must be a string"),
        (b'{"name":"","data":"b"}', "name must not be empty"),
        (b'{"name":"a\\u0000","data":"b"}', "name must not contain NUL characters"),
        (b'{"name":"a","data":"\\u0000"}', "data must not contain NUL characters"),
        (json.dumps({"name": "n" * 256, "data": ""}).encode(), "name must not be longer than 255 characters"),
        (json.dumps({"name": "n", "data": "d" * 1024 * 1024}).encode(), "body is larger than 1 MiB"),
        (b'{"name":"a","data":"b","fields":"x"}', "fields must be an object"),
        (b'{"name":"a","data":"b","category":"x"}', "category must be audit"),
        (b'{"name":"a","data":"b","category":{}}', "category must be audit"),
        (b'{"name":"a","data":"b","fields":[]}', "fields must be an object"),
        (b'{"name":"a","data":"b","fields":false}', "fields must be an object"),
        (b'{"name":"a","data":"b","fields":{"$set":1}}', "fields must not have keys that start with"),
        (b'{"name":"a","data":"b","id":5}', "id must be 1 to 128 letters"),
        (b'{"name":"a","data":"b","id":"a b"}', "id must be 1 to 128 letters"),
    ],
)
def test_a_body_that_never_can_be_stored_is_told_apart_with_its_reason(body, reason):
    with pytest.raises(PoisonError, match=reason):
        read(delivery(body))


def test_poison_does_not_keep_the_rest_of_its_batch_out():
    accepted, rejected = sort([delivery(event(), tag=1), delivery(b"no", tag=2), delivery(event(), tag=3)])

    assert [each.delivery.tag for each in accepted] == [1, 3]
    assert [(each.delivery.tag, each.reason) for each in rejected] == [(2, "body is not valid JSON")]


def test_a_message_that_breaks_the_handler_itself_is_set_aside(monkeypatch):
    monkeypatch.setattr("worker.handlers._object", lambda raw: raw / 0)

    accepted, rejected = sort([delivery(event())])

    assert not accepted
    assert rejected[0].reason == "could not be handled: TypeError"
