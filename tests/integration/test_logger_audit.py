"""The audit trail on a real MongoDB: whatever somebody does by hand in the database is found, and the first broken link is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId, Timestamp

from logger.audit import START, Loose, seal
from logger.mongo.audit_trail import document_of, link_of
from logger.mongo.canonical import READING, hash_of
from tests.audit import Trail, key, own_trail, where

FIRST, SECOND = "2026-11-21", "2026-11-22"


@pytest.fixture
def trail(system) -> Iterator[Trail]:
    with own_trail(system) as opened:
        yield opened


@pytest.fixture
def sealed(trail) -> Trail:
    """Two days with three entries each."""
    trail.seal(*"abc", day=FIRST)
    trail.seal(*"def", day=SECOND)
    return trail


def link(day: str, number: int) -> str:
    return f"{day}/{number:09d}"


def test_entries_are_linked_in_the_order_in_which_they_were_stored_and_the_trail_holds(sealed):
    links = sealed.links()

    assert [each["_id"] for each in links] == [link(day, number) for day in (FIRST, SECOND) for number in (1, 2, 3)]
    assert [str(each["entry"]) for each in links] == [key(each) for each in "abcdef"]
    assert [each["previous"] for each in links] == [START, *(each["hash"] for each in links[:-1])]
    assert sealed.logs.count_documents({"unsealed": {"$exists": True}}) == 0
    heads, fault = sealed.verify(anchors=[links[1]["hash"], links[5]["hash"]])
    assert fault is None
    assert heads == [(FIRST, 3, links[2]["hash"]), (SECOND, 3, links[5]["hash"])]


def test_the_heads_of_the_last_days_are_told_the_newest_first(sealed):
    sealed.seal("g", day="2026-12-24")

    told = [(head.day, head.count) for head in sealed.trail.heads(limit=2, before=None)]
    before = [(head.day, head.count) for head in sealed.trail.heads(limit=9, before="2026-12-24")]

    assert told == [("2026-12-24", 1), (SECOND, 3)]
    assert before == [(SECOND, 3), (FIRST, 3)]


def change(record_id: str, update: dict) -> Callable[[Trail], None]:
    return lambda trail: trail.logs.update_one(where(record_id), update)


def change_link(name: str, **members: object) -> Callable[[Trail], None]:
    return lambda trail: trail.chain.update_one({"_id": name}, {"$set": members})


def remove(**query: object) -> Callable[[Trail], None]:
    return lambda trail: trail.chain.delete_many(query)


def swap_entries(trail: Trail) -> None:
    texts = {each: trail.logs.find_one(where(each))["data"] for each in "bc"}
    trail.logs.update_one(where("b"), {"$set": {"data": texts["c"]}})
    trail.logs.update_one(where("c"), {"$set": {"data": texts["b"]}})


def swap_links(trail: Trail) -> None:
    two, three = trail.links()[1:3]
    trail.chain.delete_many({"_id": {"$in": [two["_id"], three["_id"]]}})
    trail.chain.insert_many([two | {"_id": three["_id"], "number": 3}, three | {"_id": two["_id"], "number": 2}])


def forge(trail: Trail, *, number: int, day: str) -> None:
    """Changes an entry and makes its link anew, as somebody would who knows how."""
    at = next(index for index, each in enumerate(trail.links()) if each["_id"] == link(day, number))
    links = list(map(link_of, trail.links()))
    trail.logs.update_one({"_id": ObjectId(links[at].entry)}, {"$set": {"data": "nothing happened"}})
    _made_anew(trail, links[at : at + 1], links[at - 1])


def _made_anew(trail: Trail, links: list, before: object) -> None:
    logs = trail.logs.with_options(codec_options=READING)
    for each in links:
        (new,) = seal(before, each.day, [(each.entry, hash_of(logs.find_one({"_id": ObjectId(each.entry)})))])
        trail.chain.replace_one({"_id": each.name}, document_of(new))
        before = new


def insert_link(name: str, **members: object) -> Callable[[Trail], None]:
    forged = {"day": name[:10], "number": 4, "entry": ObjectId(), "entry_hash": "1" * 64, "previous": "2" * 64}
    return lambda trail: trail.chain.insert_one({"_id": name, **forged, "hash": "3" * 64, **members})


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (change("b", {"$set": {"data": "nothing happened"}}), ("entry_changed", link(FIRST, 2), key("b"))),
        (change("b", {"$set": {"created_at": datetime(2026, 1, 1, tzinfo=UTC)}}), ("entry_changed", link(FIRST, 2), key("b"))),
        (change("b", {"$set": {"created_at": 5}}), ("entry_changed", link(FIRST, 2), key("b"))),
        (change("d", {"$set": {"fields": {"more": 1}}}), ("entry_changed", link(SECOND, 1), key("d"))),
        (change("f", {"$unset": {"updated_at": 1}}), ("entry_changed", link(SECOND, 3), key("f"))),
        (change("b", {"$unset": {"category": 1}}), ("entry_changed", link(FIRST, 2), key("b"))),
        (change("b", {"$set": {"category": "none"}}), ("entry_changed", link(FIRST, 2), key("b"))),
        (swap_entries, ("entry_changed", link(FIRST, 2), key("b"))),
        (lambda trail: trail.logs.delete_one(where("b")), ("entry_missing", link(FIRST, 2), key("b"))),
        (lambda trail: trail.logs.delete_many({}), ("entry_missing", link(FIRST, 1), key("a"))),
        (remove(_id=link(FIRST, 1)), ("link_missing", link(FIRST, 1), "")),
        (remove(_id=link(FIRST, 2)), ("link_missing", link(FIRST, 2), "")),
        (remove(_id=link(FIRST, 3)), ("link_missing", link(FIRST, 3), "")),
        (remove(_id=link(SECOND, 3)), ("entry_without_link", "", key("f"))),
        (remove(day=FIRST), ("link_missing", link(SECOND, 1), "")),
        (remove(day=SECOND), ("entry_without_link", "", key("f"))),
        (remove(), ("entry_without_link", "", key("f"))),
        (change_link(link(FIRST, 2), hash="1" * 64), ("link_changed", link(FIRST, 2), key("b"))),
        (change_link(link(FIRST, 2), hash=None), ("link_changed", link(FIRST, 2), key("b"))),
        (change_link(link(FIRST, 2), entry_hash="1" * 64), ("link_changed", link(FIRST, 2), key("b"))),
        (change_link(link(FIRST, 2), previous="1" * 64), ("link_changed", link(FIRST, 2), key("b"))),
        (change_link(link(FIRST, 2), entry="b"), ("link_changed", link(FIRST, 2), "")),
        (change_link(link(FIRST, 2), entry=ObjectId("0" * 24)), ("link_changed", link(FIRST, 2), "0" * 24)),
        (change_link(link(FIRST, 2), number=9), ("link_changed", link(FIRST, 2), key("b"))),
        (change_link(link(FIRST, 2), number=2.0), ("link_changed", link(FIRST, 2), key("b"))),
        (change_link(link(FIRST, 2), day=SECOND), ("link_changed", link(FIRST, 2), key("b"))),
        (swap_links, ("link_changed", link(FIRST, 2), key("c"))),
        (insert_link(link(SECOND, 4), entry=ObjectId("0" * 24)), ("link_changed", link(SECOND, 4), "0" * 24)),
        (insert_link(link(FIRST, 4), entry=ObjectId("0" * 24)), ("link_changed", link(FIRST, 4), "0" * 24)),
        (insert_link("2026-11-21/000000002a", entry=ObjectId("0" * 24)), ("link_changed", "2026-11-21/000000002a", "0" * 24)),
        (lambda trail: forge(trail, number=2, day=FIRST), ("link_changed", link(FIRST, 2), key("b"))),
        (lambda trail: forge(trail, number=3, day=FIRST), ("link_missing", link(FIRST, 4), "")),
        (lambda trail: trail.logs.insert_one({"category": "audit", "_id": ObjectId("0" * 24)}), ("entry_without_link", "", "0" * 24)),
    ],
)  # fmt: skip
def test_whatever_is_changed_by_hand_is_found_and_named(sealed, tamper, found):
    tamper(sealed)

    assert sealed.fault() == found


def test_of_several_faults_the_first_one_is_named(sealed):
    for tamper in (remove(_id=link(SECOND, 2)), change("c", {"$set": {"data": "x"}}), remove(_id=link(FIRST, 2))):
        tamper(sealed)

    assert sealed.fault() == ("link_missing", link(FIRST, 2), "")
    assert sealed.fault(day=SECOND) == ("link_missing", link(SECOND, 2), "")


def test_one_day_is_verified_with_what_joins_it_to_its_neighbours(sealed):
    sealed.seal("g", day="2026-12-01")
    heads, fault = sealed.verify(day=SECOND)

    assert (fault, [head.day for head in heads]) == (None, [SECOND])
    change("a", {"$set": {"data": "x"}})(sealed)
    assert sealed.fault(day=SECOND) is None
    remove(_id=link(SECOND, 3))(sealed)
    assert sealed.fault(day=SECOND) == ("link_missing", link(SECOND, 3), "")
    remove(day=SECOND)(sealed)
    assert sealed.fault(day=SECOND) == ("link_missing", link(FIRST, 4), "")
    assert sealed.fault(day="2026-12-01") == ("link_missing", link(FIRST, 4), "")
    assert sealed.fault(day="2027-01-01") is None


def test_a_chain_that_is_made_anew_or_cut_off_is_found_by_a_hash_that_was_noted(sealed):
    noted = sealed.trail.heads(limit=1, before=None)[0].hash
    change("b", {"$set": {"data": "nothing happened"}})(sealed)
    links = list(map(link_of, sealed.links()))
    _made_anew(sealed, links[1:], links[0])

    assert sealed.fault() is None
    assert sealed.fault(anchors=[noted]) == ("anchor_missing", "", "")

    sealed.chain.delete_many({})
    sealed.logs.delete_many({})
    assert sealed.fault() is None
    assert sealed.fault(anchors=[noted]) == ("anchor_missing", "", "")


def test_an_entry_may_wait_for_its_link_for_a_minute_and_no_longer(sealed):
    sealed.record("new")
    (waiting,) = sealed.trail.loose(None)

    assert isinstance(waiting, Loose)
    assert abs(waiting.stored - sealed.trail.now()) < timedelta(seconds=20)
    assert sealed.fault() is None
    for stored in (Timestamp(1_700_000_000, 1), Timestamp(2**32 - 1, 1), "never"):
        change("new", {"$set": {"unsealed": stored}})(sealed)
        assert sealed.fault() == ("entry_without_link", "", key("new"))
    sealed.seal()
    assert sealed.fault() is None


def test_a_chain_whose_end_was_spoilt_is_not_continued_and_its_entries_are_missed(sealed):
    first = sealed.links()[0]
    change_link(link(SECOND, 3), hash=first["hash"])(sealed)

    sealed.record("g")
    assert sealed.sealer.step() is False
    assert sealed.sealer.progress() == {"sealed": 6, "refused": True}
    assert sealed.fault() == ("link_changed", link(SECOND, 3), key("f"))
