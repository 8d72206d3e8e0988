"""The audit chain's hashes are what docs/audit.md says, for ever: a changed serialisation would break every chain there is."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from hashlib import sha256

import bson
import pytest
from bson import Binary, Code, Int64, ObjectId, Regex, Timestamp

from logger.audit import START, Link, seal
from logger.domain import LogEntry
from logger.mongo.canonical import READING, canonical, hash_of
from logger.mongo.documents import document_of

MOMENT = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)
ENTRY = LogEntry(
    "order-17",
    "order.created",
    'Größe "1"\n',
    "WARNING",
    "shop",
    "http",
    "req-1",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    MOMENT,
    MOMENT,
    "00f067aa0ba902b7",
    {"z": 1.5, "a": [1, 2**53 + 1, None, True, {"ключ": "€"}], "whole": 2.0},
    "audit",
)
TEXT = (
    '{"_id":{"$oid":"72a90ea3da8b5dd01bde2f27"},"category":"audit","created_at":{"$date":1795255200123},'
    '"data":"Größe \\"1\\"\\n","event_id":"order-17",'
    '"fields":{"a":[1,9007199254740993,null,true,{"ключ":"€"}],"whole":2.0,"z":1.5},"level":"WARNING",'
    '"name":"order.created","protocol":"http","request_id":"req-1","service":"shop","span_id":"00f067aa0ba902b7",'
    '"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","updated_at":{"$date":1795255200123}}'
)


def read_back(document: dict) -> dict:
    """As the database gives it."""
    return bson.decode(bson.encode(document), codec_options=READING)


def test_the_golden_entry_has_the_text_and_the_hash_that_the_documentation_shows():
    document = read_back(document_of(ENTRY))

    assert canonical({name: value for name, value in document.items() if name != "unsealed"}).decode() == TEXT
    assert hash_of(document) == sha256(TEXT.encode()).hexdigest()
    assert hash_of(document) == "78e40bcf2d453cec5f850fdeefec5f7c4356c1f8211c46cef47ed8764a767661"


def test_the_golden_links_have_the_hashes_that_the_documentation_shows():
    first, second = seal(None, "2026-11-21", [("72a90ea3da8b5dd01bde2f27", "1" * 64), ("0" * 24, "2" * 64)])

    text = f"{START}\n2026-11-21/000000001\n72a90ea3da8b5dd01bde2f27\n{'1' * 64}"
    assert (
        first.hash
        == sha256(text.encode()).hexdigest()
        == "0f116ddd2ff6f57019ad4802e08000b75803745aba259259fabf71ed32ff7d44"
    )
    assert (second.name, second.previous) == ("2026-11-21/000000002", first.hash)


def test_a_day_begins_with_the_last_hash_of_the_one_before_and_a_clock_that_was_set_back_begins_none():
    (last,) = seal(None, "2026-11-21", [("0" * 24, "1" * 64)])

    (next_day,) = seal(last, "2026-11-22", [("1" * 24, "1" * 64)])
    (set_back,) = seal(next_day, "2026-11-20", [("2" * 24, "1" * 64)])

    assert (next_day.name, next_day.previous) == ("2026-11-22/000000001", last.hash)
    assert (set_back.name, set_back.previous) == ("2026-11-22/000000002", next_day.hash)


def test_neither_the_order_of_fields_nor_the_mark_of_what_waits_changes_the_hash():
    document = read_back(document_of(ENTRY))
    turned = read_back(dict(reversed(document.items())))
    without = {name: value for name, value in turned.items() if name != "unsealed"}

    assert hash_of(document) == hash_of(turned) == hash_of(without)
    assert hash_of(read_back({"n": 5})) == hash_of(read_back({"n": Int64(5)}))


def test_documents_that_are_read_differently_have_different_texts():
    values = [
        1,
        1.0,
        True,
        "1",
        None,
        [],
        {},
        "",
        Code("1"),
        Code("1", {}),
        Code("1", {"a": 1}),
        Regex("1"),
        -0.0,
        0.0,
        math.nan,
        math.inf,
        Binary(b"1"),
        Timestamp(1, 0),
        ObjectId("0" * 24),
        {"$oid": "0" * 24},
        {"$$oid": "0" * 24},
        datetime(1970, 1, 1, tzinfo=UTC),
        {"$date": 0},
        {"$bson": ""},
        {"a": 1, "b": 2},
        [1, 2],
        ["1,2"],
    ]

    texts = {canonical(read_back({"value": value})) for value in values}

    assert len(texts) == len(values)


@pytest.mark.parametrize("year", [b"\xff" * 8, b"\x00" * 7 + b"\x7f", b"\x00" * 7 + b"\x80"])
def test_times_beyond_every_calendar_can_be_hashed(year):
    document = b"\x10\x00\x00\x00\x09t\x00" + year + b"\x00"

    assert len(hash_of(bson.decode(document, codec_options=READING))) == 64


def test_a_text_that_is_no_utf_8_is_not_taken_for_another_one():
    raw = b"\x0f\x00\x00\x00\x02t\x00\x03\x00\x00\x00\xff\xfe\x00\x00"

    assert b"\xff\xfe" in canonical(bson.decode(raw, codec_options=READING))


def test_code_whose_text_is_no_utf_8_can_be_hashed_and_is_not_taken_for_other_code():
    raw = bson.encode({"value": Code("ab")})
    texts = {
        canonical(bson.decode(raw.replace(b"ab", each), codec_options=READING))
        for each in (b"ab", b"\xff\xfe", b"\xfe\xff")
    }

    assert len(texts) == 3


def test_every_part_of_a_link_is_in_its_hash():
    (link,) = seal(None, "2026-11-21", [("0" * 24, "1" * 64)])
    changes = [{"name": "2026-11-22/000000001"}, {"entry": "1" * 24}, {"entry_hash": "2" * 64}, {"previous": "3" * 64}]

    hashes = {link._replace(**change).own_hash() for change in changes} | {link.hash}

    assert link.hash == link.own_hash()
    assert len(hashes) == len(changes) + 1
    assert isinstance(link, Link)
