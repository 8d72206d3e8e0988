"""The doors for reading, with the store in memory: what is asked and answered over HTTP, and what is refused."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.clock import FixedClock
from common.errors import AppError, InvalidError, MalformedError, TooManyError, UnavailableError
from common.web.app import create_flask
from logger.answers import moment_text
from logger.domain import LogEntry
from logger.memory.store import MemoryLogStore
from logger.ports import Bar, Count, Facets, Histogram, Page, Position
from logger.query.cursors import Cursor, CursorError, fingerprint, opened, sealed
from logger.query.filters import Condition, Filter
from logger.query.questions import MAX_BARS, bucket_start, read_histogram, read_page
from logger.routes.counting import counting_blueprint
from logger.routes.reading import reading_blueprint
from logger.search import MAX_PAGE_BYTES, QUESTIONS, WAITING, LogSearch
from logger.service import LogService
from logger.tailing.request import HISTORY, read_tail
from logger.writer import LogWriter
from tests.waiting import eventually

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def entry(number: int, **changes) -> LogEntry:
    """One of many, a second after the one before."""
    moment = NOW - timedelta(hours=1) + timedelta(seconds=number)
    members = {
        "id": f"{number:024x}",
        "name": f"order.{number % 3}",
        "data": f"text {number}",
        "level": ("INFO", "WARNING", "ERROR")[number % 3],
        "service": "shop",
        "protocol": "http",
        "request_id": "",
        "trace_id": "",
        "created_at": moment,
        "updated_at": moment,
        "span_id": "",
        "fields": {"number": number},
    }
    return LogEntry(**(members | changes))


class Store(MemoryLogStore):
    """`answer`, if set, is what every question gets, or what it raises; each waits at the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: object = None
        self.asked: list[object] = []
        self.gate = threading.Event()
        self.gate.set()

    def _instead(self, question: object) -> object:
        self.asked.append(question)
        assert self.gate.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def page(self, question):
        return self._instead(question) or super().page(question)

    def count(self, wanted):
        return self._instead(wanted) or super().count(wanted)

    def histogram(self, wanted, *, seconds):
        return self._instead((wanted, seconds)) or super().histogram(wanted, seconds=seconds)

    def facets(self, wanted, fields, *, limit):
        return self._instead((wanted, fields, limit)) or super().facets(wanted, fields, limit=limit)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def clock():
    return FixedClock(NOW)


@pytest.fixture
def search(store):
    return LogSearch(store, store, patience=0.05)


@pytest.fixture
def client(store, search, clock):
    app = create_flask("logger", checks={})
    app.register_blueprint(reading_blueprint(LogService(store, LogWriter(store), clock), search, clock))
    app.register_blueprint(counting_blueprint(search, clock))
    return app.test_client()


def pages(client, url: str):
    """Every page from this one on, by the Link header."""
    while url:
        reply = client.get(url)
        assert reply.status_code == 200, reply.text
        yield reply.json
        link = reply.headers.get("Link", "")
        assert bool(link) == bool(reply.json["next_cursor"])
        url = link.removesuffix('>; rel="next"').removeprefix("<")


@pytest.mark.parametrize(("order", "sign"), [("newest", -1), ("oldest", 1)])
def test_pages_follow_each_other_without_gap_or_duplicate_while_newer_ones_arrive(client, store, order, sign):
    store.insert([entry(number) for number in range(100)])
    seen = []

    for number, page in enumerate(pages(client, f"/api/v1/logs?since=2h&until=10m&order={order}&limit=7")):
        seen += [item["fields"]["number"] for item in page["items"]]
        store.insert([entry(10_000 + number)])
        assert page["complete"] is True

    assert seen == list(range(100))[::sign]


def test_an_entry_is_shown_as_it_is_read_by_its_id(client, store):
    store.insert([entry(1, id="order-17", trace_id=TRACE, data="Größe ☃")])

    (item,) = client.get("/api/v1/logs").json["items"]

    assert item == client.get("/api/v1/logs/order-17").json
    assert item["created_at"] == item["updated_at"] == "2026-11-21T11:00:01.000Z"
    assert (item["fields"], item["data"]) == ({"number": 1}, "Größe ☃")


def test_only_the_selected_members_are_sent(client, store):
    store.insert([entry(1)])

    assert client.get("/api/v1/logs?select=data,name").json["items"] == [{"name": "order.1", "data": "text 1"}]
    assert client.post("/api/v1/logs/query", json={"select": ["id"]}).json["items"] == [{"id": f"{1:024x}"}]


def test_the_same_question_as_a_json_body_goes_on_with_the_same_cursor(client, store):
    store.insert([entry(number) for number in range(9)])
    body = {"level": "warning", "not": {"name": "order.2"}, "fields": {"number": [1, 4, 5, 7]}, "limit": 2}

    first = client.post("/api/v1/logs/query", json=body).json
    second = client.post("/api/v1/logs/query", json=body | {"cursor": first["next_cursor"], "limit": 5}).json

    assert [item["fields"]["number"] for item in first["items"] + second["items"]] == [7, 4, 1]
    assert second["next_cursor"] is None


def test_relative_times_stay_where_they_were_while_somebody_pages(client, store, clock):
    store.insert([entry(number) for number in range(10)])
    first = client.get("/api/v1/logs?since=61m&until=59m&limit=4").json

    clock.moment += timedelta(minutes=30)
    rest = client.get(f"/api/v1/logs?since=61m&until=59m&cursor={first['next_cursor']}").json

    assert len(rest["items"]) == 6
    assert client.get("/api/v1/logs?since=61m&until=59m").json["items"] == []


@pytest.mark.parametrize(
    "query",
    ["", "since=2h&name=order.2", "since=2h&name=order.1&order=oldest", "since=3h&name=order.1", "q=since:2h"],
)
def test_a_cursor_is_good_for_its_own_question_only(client, store, query):
    store.insert([entry(number) for number in range(10)])
    cursor = client.get("/api/v1/logs?since=2h&name=order.1&limit=1").json["next_cursor"]

    refused = client.get(f"/api/v1/logs?{query}&cursor={cursor}")

    assert refused.status_code == 400
    assert refused.content_type == "application/problem+json"
    assert [each["pointer"] for each in refused.json["errors"]] == ["#/cursor"]
    assert client.get(f"/api/v1/logs?since=2h&name=order.1&cursor={cursor}&limit=9&select=id").status_code == 200


@given(
    moment=st.datetimes(timezones=st.just(UTC)),
    asked=st.datetimes(timezones=st.just(UTC)),
    key=st.binary(min_size=12, max_size=12),
    order=st.sampled_from(["newest", "oldest"]),
    place=st.integers(0, 55),
    character=st.sampled_from("Az09-_=+ é"),
)
def test_a_cursor_comes_back_as_it_was_and_no_other_text_is_one(moment, asked, key, order, place, character):
    moment, asked = (each.replace(microsecond=each.microsecond // 1000 * 1000) for each in (moment, asked))
    cursor = Cursor(Position(moment, key.hex()), order, asked, fingerprint(Filter()))
    text = sealed(cursor)

    assert opened(text) == cursor
    changed = text[:place] + character + text[place + 1 :]
    for other in (text[:place], text + character, changed if changed != text else ""):
        with pytest.raises(CursorError):
            opened(other)


@given(asked=st.datetimes(timezones=st.just(UTC)), since=st.sampled_from(["999999999w", "1s", "0s"]))
def test_a_forged_cursor_is_refused_whatever_time_it_claims(asked, since):
    asked = asked.replace(microsecond=0)
    forged = sealed(Cursor(Position(NOW, "0" * 24), "newest", asked, b"guessed!"))

    with pytest.raises(AppError) as refused:
        read_page({"cursor": forged, "since": since}, NOW)

    assert isinstance(refused.value, MalformedError | InvalidError)
    assert refused.value.problems


def test_filters_that_differ_have_fingerprints_that_differ():
    conditions = [
        Condition("fields.n", (1,)),
        Condition("fields.n", (True,)),
        Condition("fields.n", ("1",)),
        Condition("fields.n", (1.0,)),
        Condition("fields.n", (1,), negated=True),
        Condition("name", ("a", "b")),
        Condition("name", ("a,b",)),
    ]
    filters = [Filter(), Filter(since=NOW), Filter(until=NOW), *(Filter(conditions=(each,)) for each in conditions)]

    assert len({fingerprint(each) for each in filters}) == len(filters)
    assert fingerprint(Filter(conditions=(conditions[0], conditions[5]))) == fingerprint(
        Filter(conditions=(conditions[5], conditions[0]))
    )


@pytest.mark.parametrize(
    ("query", "pointers", "said"),
    [
        ("limit=0", ["#/limit"], "limit: must be a whole number from 1 to 1000"),
        ("limit=1001", ["#/limit"], "from 1 to 1000"),
        ("limit=2x", ["#/limit"], "from 1 to 1000"),
        ("limit=5&limit=6", ["#/limit"], "must be given once"),
        ("order=up", ["#/order"], "must be one of newest, oldest"),
        ("order=newest&order=oldest", ["#/order"], "must be given once"),
        ("select=nme", ["#/select"], 'did you mean "name"?'),
        ("limti=5", ["#/limti"], 'is not known here; did you mean "limit"?'),
        ("servce=a", ["#/servce"], 'did you mean "service"?'),
        ("bucket=5m", ["#/bucket"], "is not known here"),
        ("since=yesterday", ["#/since"], "since: "),
        ("since=1h&since=2h", ["#/since"], "must be one text"),
        ("q=lvl:error", ["#/q"], "position 0"),
        ("trace_id=xyz&limit=0&ordr=up", ["#/ordr", "#/limit", "#/trace_id"], "ordr: is not known here"),
        ("fields.$where=1", ["#/fields.$where"], ""),
        ("name=%00", ["#/name"], ""),
        ("fields.a%00b=1", ["#/fields.a\x00b"], ""),
    ],
)
def test_everything_that_is_wrong_is_named_at_once(client, store, query, pointers, said):
    refused = client.get(f"/api/v1/logs?{query}")

    assert refused.status_code == 422
    assert refused.content_type == "application/problem+json"
    assert [each["pointer"] for each in refused.json["errors"]] == pointers
    assert said in refused.json["detail"]
    assert store.asked == []


@pytest.mark.parametrize("cursor", ["x", "AAAA", "a" * 56, "é", "\x00", "a" * 3000, "%FF%FE"])
def test_what_is_no_cursor_is_a_clear_refusal(client, cursor):
    refused = client.get("/api/v1/logs", query_string={"cursor": cursor, "limit": "0"})

    assert refused.status_code == 400
    assert [each["pointer"] for each in refused.json["errors"]] == ["#/limit", "#/cursor"]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ([], 422, "#"),
        ("text", 422, "#"),
        ({"name": {"$ne": 1}}, 422, "#/name"),
        ({"name": [{"$gt": ""}]}, 422, "#/name/0"),
        ({"$where": "sleep(1)"}, 422, "#/$where"),
        ({"fields": {"user.id": {"$gt": 0}}}, 422, "#/fields/user.id"),
        ({"fields": {"$expr": 1}}, 422, "#/fields/$expr"),
        ({"fields": "x"}, 422, "#/fields"),
        ({"limit": True}, 422, "#/limit"),
        ({"limit": 1.5}, 422, "#/limit"),
        ({"limit": [5]}, 422, "#/limit"),
        ({"order": {"$ne": "x"}}, 422, "#/order"),
        ({"select": {"$slice": 1}}, 422, "#/select"),
        ({"select": [1]}, 422, "#/select"),
        ({"cursor": 5}, 422, "#/cursor"),
        ({"cursor": "x"}, 400, "#/cursor"),
        ({"q": ["a", "b"]}, 422, "#/q"),
    ],
)
def test_operators_and_wrong_types_in_json_reach_no_database(client, store, body, status, pointer):
    refused = client.post("/api/v1/logs/query", json=body)

    assert refused.status_code == status
    assert [each["pointer"] for each in refused.json["errors"]] == [pointer]
    assert store.asked == []


def test_a_thousand_unknown_members_are_refused_without_listing_each(client):
    refused = client.post("/api/v1/logs/query", json={f"limit{number}": 1 for number in range(1000)})

    assert refused.status_code == 422
    assert len(refused.json["errors"]) == 10


def test_a_page_whose_texts_are_large_ends_early_and_the_next_goes_on(client, store):
    size = MAX_PAGE_BYTES // 4
    store.insert(
        [
            entry(number, data=("x" if number % 2 else "\U0001f600") * (size // (1 if number % 2 else 4)))
            for number in range(10)
        ]
    )

    counts = [len(page["items"]) for page in pages(client, "/api/v1/logs?limit=1000&order=oldest")]

    assert sum(counts) == 10
    assert max(counts) <= 5


def test_a_page_is_never_larger_than_its_bound_unless_one_entry_is(client, store):
    large = "x" * (MAX_PAGE_BYTES * 2 // 3)
    store.insert([entry(number, data=text) for number, text in enumerate((large, large, 2 * large, "small"))])

    counts = [len(page["items"]) for page in pages(client, "/api/v1/logs?order=oldest")]

    assert counts == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("url", "status", "pointers"),
    [
        ("/api/v1/logs?cursor=", 400, ["#/cursor"]),
        ("/api/v1/logs?limit=", 422, ["#/limit"]),
        ("/api/v1/logs/histogram?bucket=", 422, ["#/bucket"]),
    ],
)
def test_an_empty_parameter_is_not_one_that_is_left_out(client, store, url, status, pointers):
    refused = client.get(url)

    assert (refused.status_code, [each["pointer"] for each in refused.json["errors"]]) == (status, pointers)
    assert store.asked == []


def test_an_empty_history_of_the_tail_is_not_one_that_is_left_out():
    assert read_tail({}, NOW).history == HISTORY
    with pytest.raises(InvalidError) as refused:
        read_tail({"history": ""}, NOW)

    assert [each.pointer for each in refused.value.problems] == ["#/history"]


@pytest.mark.parametrize("path", ["/api/v1/logs", "/api/v1/logs/count", "/api/v1/logs/histogram"])
@pytest.mark.parametrize("query", ["name=%ff", "name=a&%c3=b", "name=%ed%a0%80", "q=\xff"])
def test_a_query_string_that_is_no_utf_8_is_refused_and_not_searched_for(client, store, path, query):
    refused = client.get(path, environ_overrides={"QUERY_STRING": query})

    assert (refused.status_code, refused.content_type) == (400, "application/problem+json")
    assert "must be UTF-8" in refused.json["detail"]
    assert store.asked == []


def test_a_page_that_took_too_long_says_what_to_narrow_and_where_it_goes_on(client, store):
    store.answer = Page([entry(1)], Position(NOW, "0" * 24), complete=False)

    reply = client.get("/api/v1/logs?fields.a=1").json

    assert reply["complete"] is False
    assert reply["next_cursor"]
    assert reply["hint"].startswith("The time for one question was over")
    assert "since" in reply["hint"]


def test_a_count_tells_the_range_and_what_was_not_counted(client, store):
    store.insert([entry(number) for number in range(9)])

    assert client.get("/api/v1/logs/count?level=warning&since=2h").json == {
        "count": 6,
        "since": "2026-11-21T10:00:00.000Z",
        "until": None,
        "complete": True,
    }
    store.answer = Count(5, complete=False, since=NOW)
    cut = client.get("/api/v1/logs/count").json
    assert (cut["complete"], cut["counted_since"]) == (False, "2026-11-21T12:00:00.000Z")
    assert cut["hint"]


def test_a_histogram_has_a_bar_for_every_bucket_with_its_levels(client, store):
    store.insert([entry(number) for number in range(9)])
    store.insert([entry(600)])

    reply = client.get("/api/v1/logs/histogram?since=2026-11-21T11:00:00Z&until=2026-11-21T11:14:30Z&bucket=5m").json

    assert reply == {
        "bucket": "5m",
        "bucket_seconds": 300,
        "since": "2026-11-21T11:00:00.000Z",
        "until": "2026-11-21T11:14:30.000Z",
        "buckets": [
            {"start": "2026-11-21T11:00:00.000Z", "count": 9, "levels": {"INFO": 3, "WARNING": 3, "ERROR": 3}},
            {"start": "2026-11-21T11:05:00.000Z", "count": 0, "levels": {}},
            {"start": "2026-11-21T11:10:00.000Z", "count": 1, "levels": {"INFO": 1}},
        ],
        "complete": True,
    }


def test_a_histogram_that_took_too_long_has_no_bars_for_what_was_not_counted(client, store):
    half_past = NOW - timedelta(minutes=30)
    store.answer = Histogram([Bar(NOW - timedelta(minutes=10), {"INFO": 1})], complete=False, since=half_past)

    reply = client.get("/api/v1/logs/histogram?since=1h&bucket=10m").json

    assert [bar["count"] for bar in reply["buckets"]] == [0, 0, 1]
    assert reply["counted_since"] == "2026-11-21T11:30:00.000Z"


@pytest.mark.parametrize(
    ("since", "bucket"),
    [("1s", 1), ("1m", 1), ("10m", 10), ("1h", 60), ("24h", 1_800), ("1w", 10_800), ("52w", 604_800)],
)
def test_a_bucket_that_is_not_given_is_a_round_one_that_makes_sixty_bars_at_most(since, bucket):
    asked = read_histogram({"since": since}, NOW)

    assert asked.bucket == bucket
    assert (asked.until - asked.since).total_seconds() / bucket <= 60


def test_a_histogram_begins_a_day_before_its_end_when_nothing_else_is_said():
    assert read_histogram({}, NOW).since == NOW - timedelta(days=1)
    assert read_histogram({"until": "2026-01-02"}, NOW).since == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_histogram({"since": "0001-01-01"}, NOW).since.year < 50
    assert read_histogram({"until": "0001-01-01T10:00:00+00:00"}, NOW).since.year == 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("bucket=1s", "#/bucket"),
        ("bucket=0s", "#/bucket"),
        ("bucket=5", "#/bucket"),
        ("bucket=5201w", "#/bucket"),
        ("bucket=5m&bucket=6m", "#/bucket"),
        ("bucket=1s&since=0001-01-01", "#/bucket"),
        ("since=2027-01-01", "#/since"),
        ("until=0001-01-02&bucket=5200w", "#/since"),
        ("limit=5", "#/limit"),
    ],
)
def test_a_histogram_that_cannot_be_drawn_is_refused(client, query, pointer):
    refused = client.get(f"/api/v1/logs/histogram?{query}")

    assert refused.status_code == 422
    assert refused.json["errors"][0]["pointer"] == pointer


def test_a_thousand_buckets_are_drawn_and_one_more_is_refused(client):
    whole = "since=2026-11-21T00:00:00Z&bucket=1s&until=2026-11-21T00:16:4"

    assert len(client.get(f"/api/v1/logs/histogram?{whole}0Z").json["buckets"]) == MAX_BARS
    assert client.get(f"/api/v1/logs/histogram?{whole}1Z").status_code == 422


@given(since=st.datetimes(timezones=st.just(UTC)), bucket=st.sampled_from(["", "1s", "7s", "5m", "1w", "52w", "5200w"]))
def test_every_bucket_starts_at_a_multiple_of_its_length_since_1970_as_far_as_the_calendar_goes(since, bucket):
    values = {"since": since.isoformat(timespec="milliseconds"), "until": "9999-12-31T23:59:59Z"} | (
        {"bucket": bucket} if bucket else {}
    )
    try:
        asked = read_histogram(values, NOW)
    except InvalidError:
        assume(False)
    start = bucket_start(asked.since, asked.bucket)

    assert start <= asked.since
    assert (asked.since - start).total_seconds() < asked.bucket
    assert (start - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() % asked.bucket == 0


def test_facets_rank_the_values_of_the_fields_asked_for(client, store):
    store.insert([entry(number) for number in range(10)])

    reply = client.get("/api/v1/logs/facets?fields=level,service&limit=2&fields.number=0&q=-level:critical").json
    assert reply["facets"] == {"service": [{"value": "shop", "count": 1}], "level": [{"value": "INFO", "count": 1}]}
    assert set(client.get("/api/v1/logs/facets").json["facets"]) == {"name", "service", "level"}
    refused = client.get("/api/v1/logs/facets?fields=data&limit=101")
    assert [each["pointer"] for each in refused.json["errors"]] == ["#/limit", "#/fields"]
    store.answer = Facets({"name": []}, complete=False, since=NOW)
    assert client.get("/api/v1/logs/facets").json["counted_since"]


def test_a_trace_is_all_its_entries_from_the_oldest_on(client, store):
    store.insert([entry(number, trace_id=TRACE if number % 2 else "") for number in range(9, -1, -1)])

    reply = client.get(f"/api/v1/traces/{TRACE}?select=fields").json

    assert reply == {
        "trace_id": TRACE,
        "items": [{"fields": {"number": number}} for number in (1, 3, 5, 7, 9)],
        "complete": True,
    }
    assert client.get(f"/api/v1/traces/{'1' * 32}").json["items"] == []


@pytest.mark.parametrize("path", ["xyz", TRACE.upper(), f"{TRACE}?limit=5"])
def test_what_is_no_trace_or_asks_for_more_is_refused(client, path):
    assert client.get(f"/api/v1/traces/{path}").status_code == 422


def test_questions_beyond_the_bound_are_told_to_come_again_and_the_rest_is_answered(client, store):
    store.gate.clear()
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(client.application.test_client().get("/api/v1/logs").status_code)

    threads = [threading.Thread(target=ask) for _ in range(QUESTIONS + WAITING + 4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(statuses) == WAITING + 4)
    assert set(statuses) == {429}
    refused = client.get("/api/v1/logs/count")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    store.gate.set()
    for thread in threads:
        thread.join(10)
    assert statuses.count(200) == QUESTIONS


def test_a_store_that_is_away_is_unavailable_and_gives_its_place_back(client, store):
    store.answer = UnavailableError("the log store's database cannot be used now")

    for _ in range(QUESTIONS + WAITING + 1):
        assert client.get("/api/v1/logs").status_code == 503


def test_the_gate_is_the_same_for_every_kind_of_question(search, store):
    store.answer = TooManyError("x")
    for ask in (lambda: search.count(Filter()), lambda: search.trace(TRACE)):
        with pytest.raises(TooManyError):
            ask()
    assert moment_text(NOW + timedelta(microseconds=1999)) == "2026-11-21T12:00:00.001Z"
