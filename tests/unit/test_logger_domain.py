from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from common.errors import InvalidError
from logger.domain import Draft, LogEntry, accept, arrival

NOON = datetime(2026, 1, 2, 12, 0, 0, 123_456, tzinfo=UTC)


def accepted(**fields: Any) -> LogEntry:
    return accept(Draft(**{"name": "event", "data": "text", **fields}), arrival("http", NOON))


def test_a_bare_entry_gets_an_id_a_level_a_protocol_and_the_time_of_arrival_in_milliseconds():
    entry = accepted()

    assert len(entry.id) == 24
    assert (entry.level, entry.protocol) == ("INFO", "http")
    assert entry.created_at == entry.updated_at == NOON.replace(microsecond=123_000)


@pytest.mark.parametrize(
    ("given", "kept"), [("warn", "WARNING"), ("Error", "ERROR"), ("fatal", "CRITICAL"), ("", "INFO")]
)
def test_levels_are_told_in_one_spelling(given, kept):
    assert accepted(level=given).level == kept


def test_the_writers_time_counts_and_is_turned_to_utc():
    entry = accepted(timestamp="2026-01-02T14:00:00+02:00")

    assert entry.created_at == datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "#/name"),
        ({"name": "n" * 256}, "#/name"),
        ({"name": "a\x00b"}, "#/name"),
        ({"data": "a\x00b"}, "#/data"),
        ({"data": "\ud800"}, "#/data"),
        ({"data": "d" * (1024 * 1024 + 1)}, "#/data"),
        ({"data": "ö" * (512 * 1024 + 1)}, "#/data"),
        ({"service": "s" * 65}, "#/service"),
        ({"level": "LOUD"}, "#/level"),
        ({"protocol": "pigeon"}, "#/protocol"),
        ({"timestamp": "yesterday"}, "#/timestamp"),
        ({"timestamp": "2026-01-02T14:00:00"}, "#/timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "#/timestamp"),
        ({"id": "a b"}, "#/id"),
        ({"trace_id": "xyz"}, "#/trace_id"),
        ({"span_id": "00f067aa0ba902b"}, "#/span_id"),
        ({"category": "AUDIT"}, "#/category"),
        ({"fields": {"$set": 1}}, "#/fields"),
        ({"fields_json": "[1]"}, "#/fields"),
        ({"fields_json": "{"}, "#/fields"),
    ],
)
def test_a_broken_rule_is_named_by_its_field(fields, pointer):
    with pytest.raises(InvalidError) as refused:
        accepted(**fields)

    assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_all_broken_rules_are_named_at_once():
    with pytest.raises(InvalidError) as refused:
        accepted(name="", level="LOUD", timestamp="never")

    assert {problem.pointer for problem in refused.value.problems} == {"#/name", "#/level", "#/timestamp"}
