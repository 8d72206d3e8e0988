"""Blocks on a real MongoDB: no entry is ever missed or counted twice, whoever is late, crashes, deletes, or keeps beside the keeper."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.database import Database

from common.errors import DeadlineError
from common.ids import new_record_id
from common.mongo import create_mongo
from logger.domain import LogEntry
from logger.memory.counts import count_of, facets_of, histogram_of
from logger.mongo.blocks import BlockIndex
from logger.mongo.building import BlockBuilder
from logger.mongo.changes import MongoChangeLog
from logger.mongo.contents import Limits
from logger.mongo.counts import MongoCounts
from logger.mongo.documents import document_of
from logger.mongo.lease import MongoLease
from logger.mongo.marks import COLLECTION, FRESH, BlockMarks
from logger.mongo.reader import MongoLogReader
from logger.mongo.store import MongoLogStore
from logger.mongo.windows import BEGINNING, END, UNDATED, Budget, SpentError, Window
from logger.ports import Question
from logger.query.filters import Condition, Filter
from logger.tailing.changes import ChangeStream
from tests.waiting import eventually

SMALL = Limits(entries=20, words=60, characters=4_000)
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
# The latest time of Python's calendar in whole milliseconds.
LAST = END.replace(microsecond=999_000)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
WORDS = (
    "alpha",
    "Beta",
    "gamma-delta",
    "Größe",
    "STRASSE",
    "straße",
    "İzmir",
    "e\u0301t\u00e9",
    "k",
    "42",
    "ΑΣ",
    "x_y",
)


class Store:
    """A database of its own with everything that works on it; every entry that was acknowledged is in `entries`."""

    def __init__(self, client: MongoClient) -> None:
        self.client = client
        self.database: Database = client.get_default_database()
        self.blocks = self.database[COLLECTION]
        self.log = MongoLogStore(client)
        self.marks = BlockMarks(self.database)
        self.index = BlockIndex(self.database)
        self.counts = MongoCounts(client, seconds=20, candidates=self.index)
        self.builder = self.new_builder()
        self.entries: list[LogEntry] = []
        self.opened: list[ChangeStream] = []

    def new_builder(self, limits: Limits = SMALL) -> BlockBuilder:
        return BlockBuilder(self.database, limits=limits)

    def insert(self, *entries: LogEntry) -> None:
        self.log.insert(entries)
        self.entries += entries

    def insert_quietly(self, entry: LogEntry) -> None:
        """As a writer that is killed between storing and telling the blocks."""
        self.log._collection.insert_one(document_of(entry))

    def follow(self) -> ChangeStream:
        """All that is stored from now on."""
        changes = MongoChangeLog(self.client).follow(None)
        self.opened.append(changes)
        return changes

    def build(self) -> None:
        """Until a look around finds nothing more to do."""
        while self.builder.step():
            pass

    def fresh(self) -> list[dict]:
        return list(self.blocks.find({"state": FRESH}, sort=[("_id", 1)]))

    def windows(self, *phrases: str, order: str = "newest", since=None, until=None) -> list[Window]:
        wanted = Filter(since, until, tuple(Condition("data", (phrase,)) for phrase in phrases))
        found = self.index(wanted, order=order, budget=Budget(20))
        assert found is not None
        return list(found)

    def check(self, *phrases: str) -> None:
        """No entry with these words is outside of the windows, whatever the order, and the windows are as they are promised."""
        for phrase in phrases:
            wanted = Filter(conditions=(Condition("data", (phrase,)),))
            for order in ("newest", "oldest"):
                windows = self.windows(phrase, order=order)
                in_order = windows if order == "oldest" else windows[::-1]
                assert all(one.until <= other.since for one, other in pairwise(in_order))
                assert not [window for window in windows if window.empty]
                missed = [entry for entry in self.entries if wanted.matches(entry) and not covered(entry, windows)]
                assert missed == []


def covered(entry: LogEntry, windows: list[Window]) -> bool:
    return any(window.since <= entry.created_at < window.until for window in windows)


def entry(seconds: float, data: str = "alpha", level: str = "INFO", name: str = "event", service: str = "") -> LogEntry:
    moment = START + timedelta(milliseconds=round(seconds * 1000))
    return LogEntry(new_record_id(), name, data, level, service, "http", "", "", moment, moment)


def many(count: int, *, first: float = 0, every: float = 1, data: str = "alpha") -> list[LogEntry]:
    return [entry(first + number * every, data) for number in range(count)]


@pytest.fixture
def store(system) -> Iterator[Store]:
    name = f"blocks-{secrets.token_hex(6)}"
    client = create_mongo(system.env["MONGO_ADMIN_URL"].replace("/?", f"/{name}?"), app_name="test")
    store = Store(client)
    yield store
    for changes in store.opened:
        changes.close()
    client.drop_database(name)
    client.close()


def test_every_settled_entry_is_in_a_block_but_for_the_last_few(store):
    store.insert(*many(95))

    store.build()

    blocks = store.fresh()
    assert [block["count"] for block in blocks] == [20, 20, 20, 20]
    assert blocks[0]["_id"] == UNDATED.until
    assert [block["_id"] for block in blocks[1:]] == [block["until"] for block in blocks[:-1]]
    assert store.builder.progress() == {"caught_up": True, "until": blocks[-1]["until"]}
    # nothing is known of entries without a time, and of those that wait for company
    assert store.windows("absent") == [Window(blocks[-1]["until"], END), Window(BEGINNING, UNDATED.until)]


def test_entries_of_the_last_minute_are_in_no_block(store):
    now = datetime.now(UTC)
    seconds = (now - START).total_seconds()
    store.insert(*many(40, first=seconds - 50))

    store.build()

    assert store.fresh() == []


def test_a_word_leads_to_its_blocks_only_and_frequent_ones_to_one_window(store):
    store.insert(*many(100))
    store.insert(entry(30.5, "needle one"), entry(70.5, "needle two"))
    store.build()

    one, two = (next(each for each in store.fresh() if block_has(each, 30.5 + more)) for more in (0, 40))
    open_end = Window(store.fresh()[-1]["until"], END)

    undated = Window(BEGINNING, UNDATED.until)
    expected = [open_end, Window(two["_id"], two["until"]), Window(one["_id"], one["until"]), undated]
    assert store.windows("NEEDLE") == expected
    assert store.windows("NEEDLE", order="oldest") == expected[::-1]
    assert store.windows("needle", "two")[1:-1] == [expected[1]]
    assert store.windows("alpha") == [Window(BEGINNING, END)]
    within = store.windows("needle", since=START + timedelta(seconds=30.5), until=START + timedelta(seconds=71))
    assert within[-1].since == START + timedelta(seconds=30.5)
    assert within[0].until == min(START + timedelta(seconds=71), two["until"])


def block_has(block: dict, seconds: float) -> bool:
    return block["_id"] <= START + timedelta(seconds=seconds) < block["until"]


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        (Condition("level", ("ERROR",)),),
        (Condition("data", ("alpha",), negated=True),),
        (Condition("data", ("alpha", "--")),),
    ],
    ids=["none", "not about words", "negated", "an alternative without a word"],
)
def test_a_filter_that_names_no_word_is_not_answered_by_blocks(store, conditions):
    assert store.index(Filter(conditions=conditions), order="newest", budget=Budget(5)) is None


def test_of_several_words_any_is_enough(store):
    store.insert(*many(60), entry(10.5, "needle"), entry(50.5, "pin"))
    store.build()
    wanted = Filter(conditions=(Condition("data", ("needle", "pin", "absent")),))

    windows = list(store.index(wanted, order="newest", budget=Budget(5)))

    assert all(covered(each, windows) for each in store.entries if wanted.matches(each))
    # the first block together with the time before it, the last one with the open end
    assert len(windows) == 2


def test_many_portions_of_blocks_leave_no_block_out(store):
    store.builder = store.new_builder(Limits(entries=2))
    store.insert(*many(700, every=0.01))
    store.insert(*(entry(place + 0.005, "needle") for place in (0.0, 1.0, 3.3, 6.5)))
    store.build()

    assert len(store.fresh()) > 300
    store.check("needle", "absent", "alpha")
    assert len(store.windows("needle")) == 5


def test_a_late_entry_is_found_from_its_acknowledgement_on_and_soon_in_a_block_again(store):
    store.insert(*many(100))
    store.build()
    before = store.fresh()

    store.insert(entry(35.5, "needle"))

    assert len(store.fresh()) == len(before) - 1
    store.check("needle", "alpha")
    store.build()
    store.check("needle", "alpha", "absent")
    assert sum(block["count"] for block in store.fresh()) == 81
    assert len([block for block in store.fresh() if block_has(block, 35.5)]) == 1


def test_entries_in_time_touch_no_block(store):
    store.insert(*many(100))
    store.build()
    before = store.fresh()
    seconds = (datetime.now(UTC) - START).total_seconds()

    store.insert(*many(100, first=seconds - 10, every=0.1))

    assert store.fresh() == before


def test_a_retry_tells_the_blocks_of_what_the_first_try_stored_and_did_not_live_to_tell(store):
    store.insert(*many(100))
    store.build()
    lost = entry(35.5, "needle")
    store.insert_quietly(lost)
    # the retry comes without the time of the first try
    now = datetime.now(UTC).replace(microsecond=0)

    assert store.log.insert([lost._replace(created_at=now, updated_at=now)]) == [False]

    store.entries.append(lost)
    store.check("needle")
    store.build()
    store.check("needle")


def test_a_late_batch_over_a_long_time_is_found_everywhere(store):
    store.insert(*many(400))
    store.build()

    store.insert(*(entry(place + 0.5, f"needle{place}") for place in range(0, 400, 7)))

    store.check(*(f"needle{place}" for place in range(0, 400, 7)))
    store.build()
    store.check(*(f"needle{place}" for place in range(0, 400, 7)), "absent")


def test_an_entry_from_before_all_others_is_found(store):
    store.insert(*many(60))
    store.build()

    store.insert(entry(-1e9, "needle"))
    store.check("needle")
    store.build()
    store.check("needle")


def test_a_block_that_has_grown_is_cut(store):
    store.insert(*many(60))
    store.build()

    store.insert(*many(200, first=22, every=0.01))
    store.build()

    assert max(block["count"] for block in store.fresh()) <= 2 * SMALL.entries
    assert sum(block["count"] for block in store.fresh()) >= 240


def test_blocks_that_were_made_by_other_rules_are_not_believed_and_made_again(store):
    store.insert(*many(60))
    store.build()
    store.blocks.update_many({}, {"$set": {"state": "fresh 0", "words": bytes(10), "count": 7}})

    store.check("alpha")
    assert store.counts.count(Filter()).count == 60
    store.insert(entry(5.5, "needle"))
    store.builder = store.new_builder()
    store.build()
    store.check("alpha", "needle")
    assert {block["state"] for block in store.blocks.find()} == {FRESH}


def test_a_text_that_is_no_unicode_stops_nothing(store):
    store.insert(*many(60))
    document = document_of(entry(5.5, "needle"))
    broken = bson.encode(document).replace(b"needle", b"needl\xff")
    changes = store.follow()
    assert changes.read(0.1).changes == []
    store.log._collection.insert_one(RawBSONDocument(broken))
    store.insert(entry(6.5, "after"))

    store.build()

    store.check("alpha")
    assert store.fresh()
    page = MongoLogReader(store.client, seconds=20).page(Question(Filter(), limit=100))
    assert len(page.entries) == 62
    assert "needl\ufffd" in {each.data for each in page.entries}
    assert eventually(lambda: changes.read(0.1).changes[-1:], seconds=5)[0].entry.data == "after"
    with closing(MongoChangeLog(store.client).history(Filter(), limit=100)) as history:
        assert sum(len(each) for each in history) == 62


@pytest.mark.parametrize(("milliseconds", "shown"), [(2**63 - 1, LAST), (-(2**63), BEGINNING)])
def test_a_time_beyond_the_calendar_is_shown_as_its_end_and_stops_nothing(store, milliseconds, shown):
    store.insert(*many(60))
    changes = store.follow()
    assert changes.read(0.1).changes == []
    document = {**document_of(entry(0, "needle")), "created_at": DatetimeMS(milliseconds)}
    store.log._collection.insert_one(document)

    store.build()

    reader = MongoLogReader(store.client, seconds=20)
    for order in ("newest", "oldest"):
        page = reader.page(Question(Filter(), limit=100, order=order))
        found = {each.data: each.created_at for each in page.entries}
        assert (len(page.entries), found["needle"]) == (61, shown)
    (change,) = eventually(lambda: changes.read(0.1).changes, seconds=5)
    assert change.entry.created_at == shown


def test_a_search_whose_time_is_spent_says_so(store):
    store.insert(*many(100))
    store.build()
    late = Budget(0.0)

    with pytest.raises(SpentError):
        list(store.index(Filter(conditions=(Condition("data", ("alpha",)),)), order="newest", budget=late))
    with pytest.raises(DeadlineError):
        MongoCounts(store.client, seconds=0.0).count(Filter())


def test_entries_of_one_millisecond_stay_together(store):
    store.insert(*(entry(5, f"word{number}") for number in range(150)), *many(60, first=6))

    store.build()

    assert any(block["count"] >= 150 for block in store.fresh())
    store.check("word0", "word149")


def test_a_block_ends_early_when_it_has_many_words_or_much_text(store):
    store.insert(*(entry(number, " ".join(f"w{number}x{each}" for each in range(30))) for number in range(60)))
    store.insert(*(entry(100 + number, "long " * 500) for number in range(60)))

    store.build()

    assert [block["count"] for block in store.fresh()][:5] == [3] * 5
    assert store.fresh()[-1]["count"] == 2
    store.check("w0x0", "w59x29", "long")


def test_when_entries_are_deleted_their_blocks_are_made_again_and_small_neighbours_become_one(store):
    store.insert(*many(200))
    store.build()
    gone = [
        each
        for each in store.entries
        if each.created_at < START + timedelta(seconds=100) and each.created_at.second % 10
    ]
    since, until = gone[0].created_at, gone[-1].created_at + timedelta(milliseconds=1)

    store.marks.note_range(since, until)
    store.log._collection.delete_many({"created_at": {"$in": [each.created_at for each in gone]}})
    store.marks.note_range(since, until)
    store.entries = [each for each in store.entries if each not in gone]

    store.build()
    store.check("alpha")
    assert store.counts.count(Filter()).count == len(store.entries)
    assert len([block for block in store.fresh() if block["_id"] < START + timedelta(seconds=90)]) == 1


def test_a_time_without_entries_left_costs_a_search_nothing(store):
    store.insert(*many(100))
    store.build()
    store.marks.note_range(None, START + timedelta(seconds=70))
    store.log._collection.delete_many({"created_at": {"$lt": START + timedelta(seconds=60)}})

    store.build()

    assert store.fresh()[0]["_id"] == UNDATED.until
    assert store.windows("absent")[1:] == [Window(BEGINNING, UNDATED.until)]


@pytest.mark.parametrize("moment", ["_border", "_claim", "_read", "_finish"])
@pytest.mark.parametrize("late", [False, True], ids=["nobody late", "a late entry meanwhile"])
def test_a_keeper_that_is_killed_anywhere_leaves_nothing_wrong(store, monkeypatch, moment, late):
    """It dies as it begins `moment`, in the middle of its work; in between a late entry arrives."""
    store.insert(*many(100))
    store.builder.step()
    store.builder.step()

    def die(*_arguments):
        if late:
            store.insert(entry(45.5, "needle"), entry(5.5, "needle"))
        raise KeyboardInterrupt

    monkeypatch.setattr(store.builder, moment, die)
    with pytest.raises(KeyboardInterrupt):
        store.builder.step()
    store.check("needle", "alpha", "absent")

    store.builder = store.new_builder()
    store.build()

    store.check("needle", "alpha", "absent")
    assert {block["state"] for block in store.blocks.find()} == {FRESH}
    assert store.counts.count(Filter()).count == len(store.entries)


@pytest.mark.parametrize("moment", ["_claim", "_read", "_finish"])
def test_an_entry_that_comes_while_its_block_is_made_is_not_missed(store, monkeypatch, moment):
    store.insert(*many(100))
    original = getattr(store.builder, moment)
    came = []

    def meanwhile(*arguments):
        if not came:
            came.append(entry(5.5, "needle"))
            store.insert(*came)
        return original(*arguments)

    monkeypatch.setattr(store.builder, moment, meanwhile)
    store.builder.step()
    store.check("needle")
    store.build()
    store.check("needle")
    assert store.counts.count(Filter()).count == 101


def test_a_writer_whose_entry_becomes_visible_only_after_the_reading_marks_the_block(store, monkeypatch):
    store.insert(*many(100))
    original = store.builder._read

    def overtaken(claim):
        contents = original(claim)
        store.insert(entry(5.5, "needle"))
        return contents

    monkeypatch.setattr(store.builder, "_read", overtaken)
    store.builder.step()

    store.check("needle")
    assert store.fresh() == []


def test_a_keeper_that_slept_through_its_lease_spoils_nothing(store, monkeypatch):
    """It reads, another keeper makes the same blocks and a late entry arrives, and then it writes what it read before."""
    store.insert(*many(100))
    other = store.new_builder()
    original = store.builder._read

    def sleep(claim):
        contents = original(claim)
        while other.step():
            pass
        store.insert(entry(5.5, "needle"))
        while other.step():
            pass
        return contents

    monkeypatch.setattr(store.builder, "_read", sleep)
    store.builder.step()

    store.check("needle", "alpha")
    store.build()
    store.check("needle", "alpha")
    assert store.counts.count(Filter()).count == 101


def test_what_a_keeper_read_is_not_written_into_the_claim_of_the_one_that_took_over(store):
    store.insert(*many(100))
    window, other = Window(UNDATED.until, START + timedelta(seconds=20)), store.new_builder()
    claim = store.builder._claim(window)
    contents = store.builder._read(claim)
    store.insert(entry(5.5, "needle"))
    other._found()
    assert other._claim(window)

    assert not store.builder._finish(claim, contents)

    store.check("needle")


def test_blocks_that_overlap_are_believed_once_and_cleared_away(store):
    store.insert(*many(100))
    store.build()
    other = store.new_builder(Limits(entries=33))
    claim = other._claim(Window(START + timedelta(seconds=10), START + timedelta(seconds=45)))
    assert other._finish(claim, other._read(claim))

    assert store.counts.count(Filter()).count == 100
    store.insert(entry(30.5, "needle"))
    store.check("needle")
    store.builder = store.new_builder()
    store.build()

    ranges = [(block["_id"], block["until"]) for block in store.fresh()]
    assert all(one[1] <= other[0] for one, other in pairwise(ranges))
    store.check("needle", "alpha")
    assert store.counts.count(Filter()).count == 101


def test_where_blocks_overlapped_all_blocks_are_looked_through_once_more(store):
    store.insert(*many(100))
    store.build()
    other = store.new_builder(Limits(entries=33))
    claim = other._claim(Window(START + timedelta(seconds=10), START + timedelta(seconds=45)))
    assert other._finish(claim, other._read(claim))
    builder = store.new_builder()
    builder._found()
    first, second = store.fresh()[1:3]

    # no mark tells of these
    store.blocks.delete_one({"_id": first["_id"]})
    assert first["_id"] in {gap.since for gap in builder._found()}
    store.blocks.delete_one({"_id": second["_id"]})
    assert second["_id"] not in {gap.since for gap in builder._found()}


def test_of_two_keepers_one_works_and_the_other_takes_over(store):
    now = [0.0]
    one, two = (MongoLease(store.database, term=1.0, clock=lambda: now[0]) for _ in range(2))

    assert one.held()
    assert not two.held()
    one.give_up()
    now[0] += 10
    assert two.held()
    assert not one.held()


def test_a_keeper_that_is_gone_without_a_word_is_replaced_when_its_term_is_over(store):
    gone = MongoLease(store.database, term=0.5)
    assert gone.held()
    other = MongoLease(store.database, term=0.5)

    assert not other.held()
    assert eventually(other.held, seconds=5)


CONDITIONS = st.one_of(
    st.just(()),
    st.builds(lambda *each: (Condition("level", each[:2], each[2]),), *[st.sampled_from(LEVELS)] * 2, st.booleans()),
    st.builds(lambda value, no: (Condition("name", (value, "n1"), no),), st.sampled_from(["n0", "nx"]), st.booleans()),
    st.builds(
        lambda value: (Condition("service", (value,)), Condition("level", ("INFO",))), st.sampled_from(["", "s1"])
    ),
    st.builds(lambda value: (Condition("data", (value,)),), st.sampled_from(WORDS)),
)
MOMENTS = st.none() | st.integers(-5, 305).map(
    lambda second: START + timedelta(seconds=second, milliseconds=second % 3)
)


@pytest.fixture
def mixed(store) -> Store:
    """Entries of all kinds, in blocks, in blocks that were told of late ones, and in none."""
    chance = random.Random(7)  # noqa: S311 - no secret

    def any_entry(seconds: float) -> LogEntry:
        data = " ".join(chance.choices(WORDS, k=3))
        name, service = f"n{chance.randrange(4)}", chance.choice(["", "s1", "s2"])
        return entry(seconds, data, chance.choice(LEVELS), name, service)

    store.insert(*(any_entry(chance.uniform(0, 300)) for _ in range(400)))
    store.build()
    store.insert(*(any_entry(chance.uniform(100, 120)) for _ in range(10)))
    store.database["logs"].insert_one({"name": "n0", "data": "alpha of Go", "created_at": START})
    store.marks.note_range(START, START + timedelta(milliseconds=1))
    store.entries.append(entry(0, "alpha of Go", name="n0"))
    return store


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(since=MOMENTS, until=MOMENTS, conditions=CONDITIONS, seconds=st.sampled_from([1, 60, 90, 300, 3600]))
def test_numbers_are_those_of_a_plain_count(mixed, since, until, conditions, seconds):
    wanted = Filter(since, until, conditions)

    assert mixed.counts.count(wanted) == count_of(mixed.entries, wanted)
    for fields in (("name", "service", "level"), ("level",), ("name",)):
        assert mixed.counts.facets(wanted, fields, limit=3) == facets_of(mixed.entries, wanted, fields, limit=3)
    bounded = wanted._replace(since=since or START - timedelta(hours=1), until=until or START + timedelta(hours=1))
    assert mixed.counts.histogram(bounded, seconds=seconds) == histogram_of(mixed.entries, bounded, seconds=seconds)


def test_more_names_than_a_block_tells_apart_are_counted_all_the_same(store):
    store.builder = store.new_builder(Limits(entries=500))
    store.insert(*(entry(number, name=f"n{number % 250}") for number in range(1200)))
    store.build()

    assert store.fresh()[0]["names"] is None
    assert store.fresh()[0]["levels"] is not None
    wanted = Filter(conditions=(Condition("name", ("n3",)),))
    assert store.counts.count(wanted) == count_of(store.entries, wanted)
    assert store.counts.facets(Filter(), ("name",), limit=5) == facets_of(store.entries, Filter(), ("name",), limit=5)


class Trouble:
    """What may happen to a store; each method is one event."""

    def __init__(self, store: Store, seed: int, monkeypatch) -> None:
        self.store = store
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.monkeypatch = monkeypatch

    def step(self) -> None:
        self.store.builder.step()

    def another_keeper_steps(self) -> None:
        self.store.new_builder().step()

    def late(self) -> None:
        count, words = self.chance.randrange(1, 30), self.chance.choices(WORDS, k=2)
        self.store.insert(*(entry(self.chance.uniform(0, 100), " ".join(words)) for _ in range(count)))

    def delete(self) -> None:
        store, since = self.store, START + timedelta(seconds=self.chance.randrange(100))
        until = since + timedelta(seconds=self.chance.randrange(1, 30))
        store.marks.note_range(since, until)
        if self.chance.random() < 0.5:
            store.builder.step()
        store.log._collection.delete_many({"created_at": {"$gte": since, "$lt": until}})
        store.entries = [each for each in store.entries if not since <= each.created_at < until]
        store.marks.note_range(since, until)

    def crash(self) -> None:
        def die(*_arguments):
            raise KeyboardInterrupt

        with self.monkeypatch.context() as patched:
            patched.setattr(self.store.builder, self.chance.choice(["_claim", "_read", "_finish"]), die)
            try:
                self.store.builder.step()
            except KeyboardInterrupt:
                self.store.builder = self.store.new_builder()

    def race(self) -> None:
        original = self.store.builder._read

        def overtaken(claim):
            contents = original(claim)
            self.late()
            return contents

        with self.monkeypatch.context() as patched:
            patched.setattr(self.store.builder, "_read", overtaken)
            self.store.builder.step()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_in_whatever_order_nothing_is_missed_or_counted_twice(store, monkeypatch, seed):
    it = Trouble(store, seed, monkeypatch)
    store.insert(*many(60, data="alpha Beta"))
    events = [it.late, it.another_keeper_steps, it.step, it.delete, it.crash, it.race]

    for _ in range(60):
        it.chance.choices(events, weights=[3, 1, 8, 1, 1, 2])[0]()
        store.check(it.chance.choice(WORDS), it.chance.choice(WORDS))
        assert store.counts.count(Filter()).count == len(store.entries)

    store.build()
    store.check(*WORDS)
