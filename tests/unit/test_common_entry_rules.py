"""The rules for an entry's level, ids, time and structured data, which every service applies alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from common.ids import derived_record_id
from protos.limits import MAX_FIELDS_BYTES, MAX_KEY_CHARACTERS
from protos.rules import (
    FieldsError,
    check_fields,
    fields_from_json,
    integers_again,
    is_span_id,
    is_trace_id,
    level_of,
    moment_of,
)


@pytest.mark.parametrize(
    ("given", "level"),
    [("", "INFO"), ("info", "INFO"), ("Warn", "WARNING"), ("ERR", "ERROR"), ("fatal", "CRITICAL"), ("loud", None)],
)
def test_a_level_is_known_in_any_case_and_by_its_aliases(given: str, level: str | None) -> None:
    assert level_of(given) == level


def test_trace_and_span_ids_are_lower_case_hexadecimal_digits_of_their_length() -> None:
    assert is_trace_id("0af7651916cd43dd8448eb211c80319c")
    assert is_span_id("b7ad6b7169203331")
    assert not any(map(is_trace_id, ["", "0AF7651916CD43DD8448EB211C80319C", "0af7651916cd43dd"]))
    assert not any(map(is_span_id, ["", "B7AD6B7169203331", "b7ad6b716920333", "b7ad6b7169203331\n"]))


def test_ids_of_zeros_alone_stand_for_no_trace_and_no_span() -> None:
    assert not is_trace_id("0" * 32)
    assert is_trace_id("0" * 31 + "1")
    assert is_trace_id("1" + "0" * 31)
    assert not is_span_id("0" * 16)
    assert is_span_id("0" * 15 + "1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "2025-W01-1T00:00:00Z",
        "20250101T000000Z",
        "2025-01-01T00Z",
        "2025-01-01T00:00:00,5Z",
        "2025-13-01T00:00:00Z",
    ],
)
def test_what_is_no_moment_in_utc_is_none(text: str) -> None:
    assert moment_of(text) is None


@pytest.mark.parametrize(
    "text",
    ["2025-01-01T01:00:00+01:00", "2025-01-01t00:00:00z", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00.000000000Z"],
)
def test_a_moment_is_read_in_every_form_of_rfc_3339(text: str) -> None:
    assert moment_of(text) == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "a": None,
            "b": True,
            "c": -(2**63),
            "d": 2**63 - 1,
            "e": 0.5,
            "e18": [9.2e18, -9.2e18, 5e-324],
            "f": "é",
            "g": [1, [2]],
            "a.b": {},
        },
        {"a": {"b": {"c": {"d": {"e": 1}}}}},
        {"k" * MAX_KEY_CHARACTERS: "\\u0000"},
        {"x": "y" * (MAX_FIELDS_BYTES - 8)},
    ],
)
def test_fields_that_mongodb_can_keep_are_accepted(fields: dict[str, Any]) -> None:
    check_fields(fields)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ([], "must be an object"),
        ("{}", "must be an object"),
        ({"a": {"b": {"c": {"d": {"e": {}}}}}}, "nested"),
        ({"a": [[[[[]]]]]}, "nested"),
        ({"": 1}, "keys of 1 to"),
        ({"k" * (MAX_KEY_CHARACTERS + 1): 1}, "keys of 1 to"),
        ({"a": [{"$set": 1}]}, "start with \\$"),
        ({"a\x00": 1}, "NUL"),
        ({"a": ["\x00"]}, "NUL"),
        ({"a": "\ud800"}, "surrogates"),
        ({"\ud800": 1}, "surrogates"),
        ({"a": 2**63}, "64 bits"),
        ({"a": -(2**63) - 1}, "64 bits"),
        ({"a": 2**70}, "64 bits"),
        ({"a": [2.0**63]}, "64 bits"),
        ({"a": -1e30}, "64 bits"),
        ({"a": float("nan")}, "finite"),
        ({"a": [float("-inf")]}, "finite"),
        ({"a": b""}, "JSON values"),
        ({"x": "y" * (MAX_FIELDS_BYTES - 7)}, "longer than"),
    ],
)
def test_fields_that_break_a_rule_are_refused_with_the_rule(fields: object, fault: str) -> None:
    with pytest.raises(FieldsError, match=fault):
        check_fields(fields)


def test_fields_as_json_text_keep_their_integers_and_are_checked() -> None:
    assert fields_from_json("") == {}
    assert fields_from_json('{"n":9007199254740993}') == {"n": 2**53 + 1}
    for text in (
        "{",
        "[]",
        '{"$a":1}',
        '{"n":18446744073709551617}',
        '{"n":-9223372036854775809}',
        '{"a":"\\ud800"}',
        "NaN",
    ):
        with pytest.raises(FieldsError):
            fields_from_json(text)


def test_whole_doubles_are_integers_again_as_far_as_a_double_is_exact() -> None:
    given = {"a": 2.0, "b": [-3.0, 0.5, True, None], "c": {"d": 1e300, "e": float("inf")}}

    again = integers_again(given)

    assert repr(again) == repr({"a": 2, "b": [-3, 0.5, True, None], "c": {"d": 1e300, "e": float("inf")}})


def test_an_id_from_an_idempotency_key_depends_on_key_place_and_content_alone() -> None:
    ids = {
        derived_record_id("key", 0, b"content"),
        derived_record_id("key", 0, b"content"),
        derived_record_id("key", 1, b"content"),
        derived_record_id("other", 0, b"content"),
        derived_record_id("key", 0, b"other"),
        derived_record_id("keyc", 0, b"ontent"),
    }

    assert len(ids) == 5
    assert all(len(record_id) == 24 and int(record_id, 16) >= 0 for record_id in ids)
