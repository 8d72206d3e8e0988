"""How reading is measured: what is asked, which answer is right, what a page deep down is compared with."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from logger.query.language import filter_of
from tests.bench import searching, seeded_writes, tailing
from tests.bench.asking import Caller, Question, sample_of
from tests.bench.figures import Sample
from tests.bench.plan import SEARCH, plan
from tests.bench.questions import Asker
from tests.bench.wrk import GeneratorError
from tests.seeding.recipe import Recipe

UNTIL = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECIPE = Recipe(6_000, UNTIL - timedelta(hours=24), UNTIL, 1, "abc123")
REQUESTS = 20


@pytest.fixture(scope="module")
def asker():
    return Asker(RECIPE, REQUESTS)


@pytest.fixture(scope="module")
def asked(asker):
    return {**asker.pages(), **asker.words()}


def test_each_row_asks_as_often_as_is_planned_and_with_values_that_differ(asked):
    assert {len(questions) for questions in asked.values()} == {REQUESTS}
    assert all(len({question.target for question in questions}) > REQUESTS // 2 for questions in asked.values())


def test_every_question_is_one_that_the_log_store_understands(asked):
    for name, questions in asked.items():
        if name != "trace":
            parameters = {**questions[0].parameters}
            del parameters["limit"]
            assert filter_of(parameters, now=UNTIL).conditions


def test_an_answer_is_right_when_it_has_the_entries_that_were_written_and_nothing_was_left_out(asked):
    def answer(items: int, *, complete: bool = True):
        return {"items": [{}] * items, "complete": complete}

    once, absent = asked["words once"][0], asked["words absent"][0]
    assert once.is_right(answer(1))
    assert not once.is_right(answer(0))
    assert not once.is_right(answer(1, complete=False))
    assert absent.is_right(answer(0))
    assert not absent.is_right(answer(1))
    assert asked["words fifty"][0].is_right(answer(50))
    assert 25 <= RECIPE.needles.together(*asked["words two"][0].parameters["q"].split()) <= 50


def test_search_is_all_rows_on_searching_and_each_can_be_chosen_alone():
    assert all(plan(["search"], quick=True).wants(row) for row in SEARCH)
    assert plan(["search-words"], quick=True).wants_search
    assert not plan(["search-words"], quick=True).wants("search-tail")
    assert not plan(["drain"], quick=True).wants_search
    assert plan([], quick=False).search_entries == 2_000_000


class Store(BaseHTTPRequestHandler):
    """Pages without end, or with the last one at `pages`; an export of `lines` that may lack its end."""

    protocol_version = "HTTP/1.1"
    pages = 10**9
    lines = 5
    is_whole = True

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path.endswith("/export"):
            end = [json.dumps({"export": {"entries": self.lines, "complete": True}})] if self.is_whole else []
            self._answer("".join(f"{line}\n" for line in [*['{"name":"a"}'] * self.lines, *end]))
        else:
            number = int(parse_qs(parts.query).get("cursor", ["1"])[0])
            following = str(number + 1) if number < self.pages else None
            self._answer(json.dumps({"items": [{}] * 50, "next_cursor": following, "complete": True}))

    def _answer(self, text: str):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Nothing to say to the terminal."""


@pytest.fixture
def store(request):
    kind = type("Kind", (Store,), getattr(request, "param", {}))
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_deep_down_is_measured_behind_all_the_pages_before_it(store, asker, monkeypatch):
    monkeypatch.setattr(searching, "DEEP", 10)

    with Caller(store) as caller:
        first, deep = searching._walked(caller, asker, 6_000, {}, 4)

    assert (first.acknowledged, deep.acknowledged, first.errors, deep.errors) == (4, 4, 0, 0)


@pytest.mark.parametrize("store", [{"pages": 12}], indirect=True)
def test_without_enough_pages_there_is_no_figure(store, asker, monkeypatch):
    monkeypatch.setattr(searching, "DEEP", 10)

    with Caller(store) as caller, pytest.raises(GeneratorError, match="page 12 of all entries"):
        searching._walked(caller, asker, 6_000, {}, 4)


@pytest.mark.parametrize(
    ("store", "least", "errors"),
    [({}, 5, 0), ({}, 6, 1), ({"is_whole": False}, 5, 1), ({"lines": 0}, 0, 0)],
    indirect=["store"],
)
def test_an_export_counts_when_its_last_line_says_that_it_is_all(store, least, errors):
    sample = searching._exported(store, "/api/v1/logs/export?until=now", least)

    assert (sample.errors, sample.acknowledged) == (errors, 0 if least == 0 else 5)


def test_a_wrong_answer_is_an_error_and_its_time_counts(store):
    questions = [Question("/api/v1/logs", {}, lambda _, right=right: right) for right in (True, False, True)]

    with Caller(store) as caller:
        sample = sample_of(caller, questions)

    assert (sample.acknowledged, sample.errors) == (2, 1)
    assert sample.p99_ms > 0


def test_an_entry_that_never_comes_or_comes_twice_is_an_error():
    sample = tailing.judge({"0": 1.0, "1": 2.0, "2": 3.0, "3": 4.0}, {"0": [1.2], "1": [2.1], "2": [3.1, 3.2]})

    assert (sample.acknowledged, sample.errors) == (1, 2)
    assert sample.p50_ms == pytest.approx(100)
    assert sample.p99_ms == pytest.approx(200)


def test_each_run_is_compared_with_the_one_beside_it_because_the_machine_drifts():
    def samples(*rates: int) -> list[Sample]:
        return [Sample(rate, 1.0, 1, 2, 3) for rate in rates]

    assert seeded_writes.slowdown(samples(90, 45, 80), samples(100, 50, 160)) == pytest.approx(0.9)
    assert seeded_writes.slowdown(samples(90), samples(0)) is None
