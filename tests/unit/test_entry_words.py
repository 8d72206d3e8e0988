"""Whoever refuses an entry gives the reason in the same words: the gateway, the log store, and the listener that sets a message aside."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from broker.schemas import read_order
from common.errors import InvalidError
from logger.domain import accept, arrival
from logger.schemas import read_draft
from protos import rules
from protos.limits import MAX_DATA_BYTES, MAX_NAME_CHARACTERS, MAX_SERVICE_CHARACTERS
from worker.domain import Delivery
from worker.handlers import PoisonError, read

ENTRY = {"name": "event", "data": "hello"}
ZEROS = {"trace_id": "0" * 32, "span_id": "0" * 16}


def at_the_gateway(entry: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidError) as refused:
        read_order(entry, under="#")
    return [(problem.pointer.removeprefix("#/"), problem.detail) for problem in refused.value.problems]


def at_the_store(entry: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidError) as refused:
        accept(read_draft(entry), arrival("http", datetime.now(UTC)))
    return [(problem.pointer.removeprefix("#/"), problem.detail) for problem in refused.value.problems]


def at_the_listener(entry: object) -> str:
    with pytest.raises(PoisonError) as refused:
        read(Delivery(1, json.dumps(entry).encode(), "log.INFO", {}, {}))
    return str(refused.value)


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in ENTRY.items() if name != member}


@pytest.mark.parametrize(
    ("entry", "member", "words"),
    [
        (without("name"), "name", rules.MISSING),
        (without("data"), "data", rules.MISSING),
        ({**ENTRY, "name": 5}, "name", rules.NOT_TEXT),
        ({**ENTRY, "data": {}}, "data", rules.NOT_TEXT),
        ({**ENTRY, "name": ""}, "name", rules.EMPTY),
        ({**ENTRY, "name": "n" * (MAX_NAME_CHARACTERS + 1)}, "name", rules.NAME_TOO_LONG),
        ({**ENTRY, "name": "a\x00"}, "name", rules.HAS_NUL),
        ({**ENTRY, "data": "a\x00"}, "data", rules.HAS_NUL),
        ({**ENTRY, "id": "a b"}, "id", rules.NOT_AN_ID),
        ({**ENTRY, "fields": []}, "fields", "must be an object"),
        ({**ENTRY, "fields": {"n": 2**63}}, "fields", rules.NUMBER_TOO_LARGE),
        # what a JSON parser makes of an integer of more than 64 bits
        ({**ENTRY, "fields": {"n": float(2**64)}}, "fields", rules.NUMBER_TOO_LARGE),
    ],
)
def test_a_broken_rule_is_told_in_the_same_words_at_every_door(entry, member, words):
    assert at_the_gateway(entry) == at_the_store(entry) == [(member, words)]
    assert at_the_listener(entry) == f"{member} {words}"


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("data", "d" * (MAX_DATA_BYTES + 1), rules.DATA_TOO_LONG),
        ("service", "s" * (MAX_SERVICE_CHARACTERS + 1), rules.SERVICE_TOO_LONG),
        ("service", "a\x00", rules.HAS_NUL),
        ("level", "loud", rules.NOT_A_LEVEL),
        ("request_id", "a b", rules.NOT_AN_ID),
        ("trace_id", "abc", rules.NOT_A_TRACE_ID),
        ("trace_id", ZEROS["trace_id"], rules.NOT_A_TRACE_ID),
        ("span_id", "abc", rules.NOT_A_SPAN_ID),
        ("span_id", ZEROS["span_id"], rules.NOT_A_SPAN_ID),
        ("timestamp", "yesterday", rules.NOT_A_MOMENT),
    ],
)
def test_what_the_listener_passes_over_the_others_refuse_in_the_same_words(member, value, words):
    entry = {**ENTRY, member: value}

    assert at_the_gateway(entry) == at_the_store(entry) == [(member, words)]


def test_an_event_with_ids_of_zeros_is_kept_under_the_ids_of_its_request():
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}

    entry = read(Delivery(1, json.dumps({**ENTRY, **ZEROS}).encode(), "log.INFO", headers, {}))

    assert (entry.trace_id, entry.span_id) == ("0af7651916cd43dd8448eb211c80319c", "")
