"""Pages from a real MongoDB: the same as from memory, in bounded time, by the right index."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient, monitoring
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from common.ids import object_id_hex
from common.mongo import create_mongo
from logger.domain import LogEntry
from logger.memory.store import MemoryLogStore
from logger.mongo.documents import document_of, entry_of
from logger.mongo.indexes import INDEXES, check_indexes, prepare
from logger.mongo.reader import MongoLogReader
from logger.mongo.windows import BEGINNING, Window
from logger.ports import Page, Position, Question
from logger.query.filters import Condition, Filter

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Base:
    """A database of its own, and what was asked of it."""

    def __init__(self, admin_url: str) -> None:
        self.url = admin_url.replace("/?", f"/search_{secrets.token_hex(4)}?")
        self.client = create_mongo(self.url, app_name="test")
        # what a test writes need not survive it
        self.logs: Collection = self.client.get_default_database().get_collection("logs", write_concern=WriteConcern(1))

    def reader(self, **options) -> MongoLogReader:
        return MongoLogReader(self.client, **options)

    def fill(self, documents: list[dict[str, Any]]) -> MemoryLogStore:
        """The same entries in memory."""
        self.logs.delete_many({})
        if documents:
            self.logs.insert_many(documents)
        memory = MemoryLogStore()
        memory.insert([entry_of(document) for document in self.logs.find()])
        return memory


class Asked(monitoring.CommandListener):
    def __init__(self) -> None:
        self.finds: list[dict[str, Any]] = []

    def started(self, event):
        if event.command_name == "find":
            self.finds.append(dict(event.command))

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


@pytest.fixture(scope="module")
def base(system) -> Iterator[Base]:
    base = Base(system.env["MONGO_ADMIN_URL"])
    prepare(base.logs)
    yield base
    base.client.drop_database(base.logs.database)
    base.client.close()


@pytest.fixture
def fresh(system) -> Iterator[Base]:
    """One without indexes."""
    base = Base(system.env["MONGO_ADMIN_URL"])
    base.logs.insert_one({"name": "first"})
    yield base
    base.client.drop_database(base.logs.database)
    base.client.close()


def walk(reader, wanted: Filter, order: str, limit: int) -> Iterator[Page]:
    after, seen = None, 0
    while True:
        page = reader.page(Question(wanted, order, limit, after))
        yield page
        after = page.following
        if after is None:
            return
        seen += 1
        assert seen < 1_000, "no end of pages"


# --- the same as from memory -------------------------------------------------------------------------------------------

BITS = [
    *("straße", "STRASSE", "STRA\u1e9eE", "ß", "ss", "fi", "\ufb01"),
    *("istanbul", "ISTANBUL", "\u0130stanbul", "\u0131stanbul"),  # the two Turkish letters
    *("sun", "SUN", "\u017fun", "k", "K", "\u212a", "å", "\u212b"),  # long s, Kelvin, Ångström
    *("é", "e\u0301", "E\u0301", "\u0391\u0399", "\u03b1\u03b9", "\u1fb3", "\u03b1\u0345"),  # combining marks
    *("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c3", "\u03bf\u03b4\u03bf\u03c2"),  # final sigma
    *("\u24d0", "\u24b6", "\u01c6", "\u01c5", "\u00b5", "\u03bc", "\u0663", "½", "你好"),
    *("a_b", "a-b", "a.b", "(a+)+$", ".*", "\\E", "$ne", "{}", "\x00"),
]
texts = st.lists(st.sampled_from([*BITS, " ", " ", "-", "'", "\n", "_"]), max_size=5).map("".join)
moments = st.sampled_from([NOON + seconds * timedelta(seconds=1) for seconds in (0, 0.001, 1, 3600, -86_400 * 900)])
levels = st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
names = st.sampled_from(["order.created", "Order.created", "$ne", "größe", "a"])
services = st.sampled_from(["", "shop", "mail"])
traces = st.sampled_from(["", "0" * 31 + "1", "0" * 31 + "2"])
leaves = st.sampled_from(
    [None, True, False, 0, 1, 1.0, -1, 0.5, "", "1", "true", "x", 2**53, 2**53 + 1, float(2**53), 2**63 - 1]
)
keys = st.sampled_from(["a", "b", "0", "1", "a.b"])
fields = st.dictionaries(
    keys,
    st.recursive(
        leaves, lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(keys, deeper, max_size=3), max_leaves=5
    ),
    max_size=3,
)


@st.composite
def entries(draw) -> dict[str, Any]:
    """As this system stores them."""
    created = draw(moments)
    record_id = draw(st.sampled_from(["", "evt-"])) + f"{draw(st.integers(0, 2**96 - 1)):024x}"
    return document_of(
        LogEntry(
            record_id,
            draw(names),
            draw(texts),
            draw(levels),
            draw(services),
            "http",
            "",
            draw(traces),
            created,
            created,
            "",
            draw(st.none() | fields),
        )
    )


@st.composite
def originals(draw) -> dict[str, Any]:
    """As the Go original stores them, and with holes."""
    document = {"_id": ObjectId(f"{draw(st.integers(0, 2**96 - 1)):024x}")}
    created = draw(moments | st.sampled_from([BEGINNING, None]))
    whole = {"name": draw(names), "data": draw(texts), "created_at": created, "updated_at": created}
    lacking = draw(st.sets(st.sampled_from(sorted(whole)), max_size=2))
    document |= {key: value for key, value in whole.items() if key not in lacking}
    return document | draw(
        st.sampled_from([{}, {"level": ""}, {"level": None}, {"data": None}, {"service": None}, {"fields": None}])
    )


documents = st.lists(entries() | originals(), max_size=30, unique_by=lambda each: each["_id"])
conditions = st.one_of(
    st.tuples(st.just("name"), st.lists(names, min_size=1, max_size=2)),
    st.tuples(st.just("level"), st.lists(levels | st.just(""), min_size=1, max_size=3)),
    st.tuples(st.just("service"), st.lists(services, min_size=1, max_size=2)),
    st.tuples(st.just("trace_id"), st.lists(traces, min_size=1, max_size=2)),
    st.tuples(st.just("protocol"), st.lists(st.sampled_from(["http", ""]), min_size=1, max_size=1)),
    st.tuples(st.just("data"), st.lists(st.sampled_from(BITS) | texts, min_size=1, max_size=2)),
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "0", "1", "$a", "", "c"]), min_size=1, max_size=3).map(
            lambda path: "fields." + ".".join(path)
        ),
        st.lists(leaves | st.sampled_from([2**63, 2**64, 10**400, float("nan")]), min_size=1, max_size=3),
    ),
)
filters = st.builds(
    Filter,
    since=st.none() | moments | st.just(NOON + timedelta(microseconds=500)),
    until=st.none() | moments | st.just(NOON + timedelta(microseconds=500)),
    conditions=st.lists(
        st.builds(lambda pair, negated: Condition(pair[0], tuple(pair[1]), negated), conditions, st.booleans()),
        max_size=2,
    ).map(tuple),
)


@pytest.mark.timeout(400)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(documents=documents, wanted=st.lists(filters, min_size=1, max_size=4), limit=st.integers(1, 7))
def test_pages_are_the_same_as_from_memory_in_both_orders(base, documents, wanted, limit):
    memory = base.fill(documents)
    for each in wanted:
        for order in ("newest", "oldest"):
            expected = list(walk(memory, each, order, limit))
            assert list(walk(base.reader(), each, order, limit)) == expected


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(documents=documents, wanted=filters, limit=st.integers(1, 4), data=st.data())
def test_pages_are_the_same_when_an_index_over_words_knows_where_entries_may_be(base, documents, wanted, limit, data):
    memory = base.fill(documents)
    edges = sorted({NOON + timedelta(seconds=data.draw(st.integers(-3, 5))) for _ in range(3)})
    whole = [
        Window(one, other) for one, other in zip([BEGINNING, *edges], [*edges, NOON + timedelta(days=9)], strict=True)
    ]

    def candidates(wanted, *, order, budget):
        return iter(whole if order == "oldest" else whole[::-1])

    for order in ("newest", "oldest"):
        assert list(walk(base.reader(candidates=candidates), wanted, order, limit)) == list(
            walk(memory, wanted, order, limit)
        )


def test_every_phrase_is_found_in_the_same_texts_as_in_memory(base):
    around = ["{}", "a{}", "{}a", "({})", "{}_", "-{}-"]
    texts = [form.format(bit) for bit in BITS for form in around]
    memory = base.fill([{**spread(number), "data": text} for number, text in enumerate(texts)])

    for phrase in (*BITS, "i" * 1_000, "\u0130" * 1_000):
        question = Question(Filter(conditions=(Condition("data", (phrase,)),)), limit=1_000)
        assert base.reader().page(question) == memory.page(question), phrase


def test_nothing_outside_the_candidates_is_read(base):
    base.fill([spread(number) for number in range(100)])
    window = Window(NOON + timedelta(seconds=10), NOON + timedelta(seconds=20))

    def candidates(wanted, *, order, budget):
        return iter([window])

    page = base.reader(candidates=candidates).page(Question(Filter()))

    assert [each.created_at for each in page.entries] == [
        NOON + number * timedelta(seconds=1) for number in range(19, 9, -1)
    ]


def test_every_id_finds_its_entry(base):
    for record_id in ("evt-1", f"{7:024x}", "A" * 24):
        base.fill([spread(1), document_of(entry_of(spread(2))._replace(id=record_id))])

        page = base.reader().page(Question(Filter(conditions=(Condition("id", (record_id, "none")),))))

        assert [each.id for each in page.entries] == [record_id]


# --- bounded -----------------------------------------------------------------------------------------------------------


def spread(number: int, **changes) -> dict[str, Any]:
    """One entry in each second, of ten names, one in a hundred CRITICAL."""
    created = NOON + timedelta(seconds=number)
    level = "CRITICAL" if number % 100 == 99 else "INFO"
    entry = LogEntry(
        f"{number:024x}",
        f"name-{number % 10}",
        f"text {number}",
        level,
        "shop",
        "http",
        "",
        f"{number:032x}",
        created,
        created,
    )
    return document_of(entry._replace(**changes))


@pytest.fixture(scope="module")
def many(system) -> Iterator[Base]:
    base = Base(system.env["MONGO_ADMIN_URL"])
    prepare(base.logs)
    base.logs.insert_many([spread(number) for number in range(20_000)])
    yield base
    base.client.drop_database(base.logs.database)
    base.client.close()


def never(count: int = 300) -> Condition:
    """Phrases that take their time and are not there; more than a reader may ask for."""
    return Condition("data", tuple(f"text {number} is not there" for number in range(count)))


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_question_that_takes_too_long_goes_on_where_it_stopped_and_finds_all(many, order):
    sought = Condition("data", (*never().values, "text 7", "text 19000"))

    pages = list(walk(many.reader(seconds=0.1), Filter(conditions=(sought,)), order, 10))

    numbers = [int(entry.id, 16) for page in pages for entry in page.entries]
    assert numbers == ([19000, 7] if order == "newest" else [7, 19000])
    assert [page.complete for page in pages].count(False) > 1
    assert pages[-1].complete


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_more_entries_in_one_millisecond_than_the_time_is_enough_for_are_paged_through_all_the_same(fresh, order):
    prepare(fresh.logs)
    fresh.fill([spread(number, created_at=NOON, trace_id="") for number in range(12_000)])
    fresh.logs.insert_many([spread(20_000 + number, created_at=NOON + number * MILLISECOND) for number in (-2, 2)])
    sought = Condition("data", (*never().values, "text 3", "text 6000", "text 11000", "text 19998", "text 20002"))

    pages = list(walk(fresh.reader(seconds=0.05), Filter(conditions=(sought,)), order, 10))

    numbers = [int(entry.id, 16) for page in pages for entry in page.entries]
    expected = [19_998, 3, 6_000, 11_000, 20_002]
    assert numbers == (expected if order == "oldest" else expected[::-1])


def test_a_page_of_large_entries_ends_before_its_limit(base):
    base.fill([spread(number, data="x" * 1024 * 1024) for number in range(20)])

    pages = list(walk(base.reader(), Filter(), "newest", 50))

    assert [len(page.entries) for page in pages] == [16, 4]
    assert all(page.complete for page in pages)


@pytest.mark.parametrize(
    ("conditions", "index"),
    [
        ([], "newest_first"),
        ([Condition("name", ("name-3", "name-4"))], "by_name"),
        ([Condition("level", ("ERROR", "CRITICAL"))], "by_level"),
        ([Condition("level", ("ERROR", "CRITICAL")), Condition("name", ("name-9",))], "by_level"),
        ([Condition("service", ("shop",)), Condition("level", ("WARNING", "CRITICAL"))], "by_level"),
        ([Condition("trace_id", (f"{777:032x}",))], "by_trace"),
        ([Condition("id", (f"{777:024x}",))], "_id_"),
    ],
)
@pytest.mark.parametrize("after", [None, Position(NOON + timedelta(seconds=9_000), f"{9_000:024x}")])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_page_costs_as_much_as_it_shows_wherever_it_begins(many, conditions, index, after, order):
    asked = Asked()
    wanted = Filter(conditions=tuple(conditions))

    with MongoClient(many.url, tz_aware=True, event_listeners=[asked]) as client:
        MongoLogReader(client).page(Question(wanted, order, 20, after))

    assert asked.finds
    for command in asked.finds:
        assert command["hint"] == index
        plan = {key: value for key, value in command.items() if key not in {"lsid", "$db", "$clusterTime"}}
        costs = many.logs.database.command({"explain": plan, "verbosity": "executionStats"})["executionStats"]
        # a key that is passed over by its last fields counts several times
        assert costs["totalKeysExamined"] <= (120 if len(conditions) > 1 else 26)
        assert costs["totalDocsExamined"] <= 22


# --- the indexes -------------------------------------------------------------------------------------------------------


def states(base: Base) -> dict[str, str]:
    return {finding.name: finding.state for finding in check_indexes(base.logs)}


def test_what_is_asked_is_answered_while_the_indexes_are_missing(fresh):
    fresh.fill([spread(number) for number in range(300)])

    assert set(states(fresh).values()) == {"missing", "present"}
    for condition in (
        Condition("level", ("CRITICAL",)),
        Condition("trace_id", (f"{99:032x}", f"{199:032x}", f"{299:032x}")),
    ):
        page = fresh.reader().page(Question(Filter(conditions=(condition,))))
        assert [int(entry.id, 16) for entry in page.entries] == [299, 199, 99]


def test_an_index_that_is_declared_otherwise_than_it_is_is_built_again_and_others_are_left_alone(fresh, caplog):
    caplog.set_level("INFO")
    fresh.logs.create_index([("name", 1), ("created_at", -1)], name="by_name")
    fresh.logs.create_index([("level", 1), ("created_at", -1), ("_id", -1)], name="by_level")
    fresh.logs.create_index([("mine", 1)], name="mine")
    assert (states(fresh)["by_name"], states(fresh)["by_level"], states(fresh)["mine"]) == (
        "different",
        "different",
        "unknown",
    )

    prepare(fresh.logs)
    prepare(fresh.logs)

    expected = {index.document["name"]: "present" for index in INDEXES}
    assert states(fresh) == {**expected, "_id_": "present", "mine": "unknown"}
    assert [record.index for record in caplog.records if record.msg == "index_rebuilt"] == ["by_name", "by_level"]
    assert all(finding.size > 0 for finding in check_indexes(fresh.logs))


def test_two_processes_may_prepare_at_once(fresh):
    fresh.logs.create_index([("name", 1), ("created_at", -1)], name="by_name")
    fresh.logs.insert_many([spread(number) for number in range(5_000)])
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            prepare(fresh.logs)
        except Exception as error:  # noqa: BLE001 - whichever it is, the test tells
            failed.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert set(states(fresh).values()) == {"present"}


def test_the_key_of_an_entry_is_the_place_of_its_page(base):
    base.fill([document_of(entry_of(spread(number))._replace(id=f"evt-{number}")) for number in range(3)])

    page = base.reader().page(Question(Filter(), "oldest", 2))

    assert page.following == Position(NOON + timedelta(seconds=1), object_id_hex("evt-1"))
