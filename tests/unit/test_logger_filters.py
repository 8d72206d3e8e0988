from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from logger.domain import LogEntry
from logger.memory.store import MemoryLogStore
from logger.ports import Page, Position, Question
from logger.query.filters import Condition, Filter, at_least

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def entry(number: int = 0, **changes) -> LogEntry:
    known = LogEntry(f"{number:024x}", "order.created", "All is well", "INFO", "shop", "http", "", "", NOON, NOON)
    return known._replace(**changes)


def holds(field: str, *values, negated: bool = False, **changes) -> bool:
    return Filter(conditions=(Condition(field, values, negated),)).matches(entry(**changes))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("well", "All is WELL."),
        ("all is", "All is well"),
        ("12:30", "at 12:30 sharp"),
        ("größe", "GRÖSSE und GRÖßE"),
        ("(a+)+$", "as (a+)+$ says"),
        ("-", "a-b"),
        ("id", "id=42"),
        ("İstanbul", "istanbul"),
        ("", ""),
    ],
)
def test_words_and_phrases_are_found_as_they_stand_in_any_case(phrase, text):
    assert holds("data", phrase, data=text)
    assert not holds("data", phrase, data=text, negated=True)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [("well", "farewell"), ("well", "wells"), ("id", "id_card"), ("4", "42"), ("a.c", "abc"), ("is all", "all is")],
)
def test_a_word_is_not_found_inside_a_longer_one(phrase, text):
    assert not holds("data", phrase, data=text)
    assert holds("data", phrase, data=text, negated=True)


def test_one_of_several_values_is_enough_and_none_may_be_there_when_negated():
    assert holds("name", "order.created", "order.paid")
    assert not holds("name", "order.paid")
    assert not holds("name", "order.created", "order.paid", negated=True)


@pytest.mark.parametrize(
    ("path", "value", "fields"),
    [
        ("a", 1, {"a": 1.0}),
        ("a.b", "x", {"a": {"b": "x"}}),
        ("a", 1, {"a": [0, 1]}),
        ("a.b", 2, {"a": [{"b": 1}, {"b": 2}]}),
        ("a.1.b", 2, {"a": [{"b": 1}, {"b": 2}]}),
        ("a", None, {"a": None}),
        ("a", None, {}),
        ("a.b", None, {"a": [{"b": None}]}),
        ("a", True, {"a": True}),
    ],
)
def test_a_value_in_the_fields_is_found_by_its_path_also_in_lists(path, value, fields):
    assert holds(f"fields.{path}", value, fields=fields)


@pytest.mark.parametrize(
    ("path", "value", "fields"),
    [
        ("a", True, {"a": 1}),
        ("a", 1, {"a": True}),
        ("a", "1", {"a": 1}),
        ("a", None, {"a": 0}),
        ("a.b", 1, {"a.b": 1}),
        ("a.b", None, {"a": [{"b": 1}, {}]}),
        ("a.2", 1, {"a": [1, 1]}),
    ],
)
def test_values_of_other_kinds_and_at_other_paths_are_not_found(path, value, fields):
    assert not holds(f"fields.{path}", value, fields=fields)


def test_the_range_holds_its_beginning_and_not_its_end():
    hour = timedelta(hours=1)

    assert Filter(since=NOON, until=NOON + hour).matches(entry())
    assert not Filter(until=NOON).matches(entry())
    assert not Filter(since=NOON + hour).matches(entry())


def test_levels_are_ordered():
    assert at_least("ERROR") == ("ERROR", "CRITICAL")


def stored(count: int) -> MemoryLogStore:
    """Three entries in each second."""
    store = MemoryLogStore()
    store.insert([entry(number, created_at=NOON + timedelta(seconds=number // 3)) for number in range(count)])
    return store


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 2, 5, 10, 11])
def test_pages_from_memory_follow_each_other_without_gap_or_double(order, limit):
    store, numbers, after = stored(10), [], None
    while True:
        page = store.page(Question(Filter(), order, limit, after))
        numbers += [int(each.id, 16) for each in page.entries]
        if (after := page.following) is None:
            break

    assert numbers == (sorted(range(10), reverse=True) if order == "newest" else list(range(10)))


def test_the_last_page_says_that_nothing_follows():
    store = stored(4)

    assert store.page(Question(Filter(), limit=4)).following is None
    assert store.page(Question(Filter(), limit=3)).following == Position(NOON, f"{1:024x}")
    assert store.page(Question(Filter(since=NOON + timedelta(days=1)))) == Page([], None)
