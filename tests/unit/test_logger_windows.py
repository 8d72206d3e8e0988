from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from pymongo.errors import ExecutionTimeout

from logger.mongo.windows import BEGINNING, END, FREE_SECONDS, Budget, SpentError, Window, scan, whole
from logger.query.filters import Filter

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(days=1), NOON)


class Database:
    """Needs a fixed time for each second of a window, on a clock of its own."""

    def __init__(self, *, per_second: float) -> None:
        self.now = 0.0
        self.asked: list[Window] = []
        self.last = DAY
        self._per_second = per_second

    def clock(self) -> float:
        return self.now

    def look(self, window: Window, max_time_ms: int) -> int:
        self.asked.append(window)
        needed = 0.0005 + (window.until - window.since).total_seconds() * self._per_second
        self.now += min(needed, max_time_ms / 1000)
        if needed > max_time_ms / 1000:
            raise ExecutionTimeout("operation exceeded time limit", 50, {})
        self.last = window
        return len(self.asked)

    def scan(self, *ranges, order="newest", seconds=2.0) -> list[Window]:
        budget = Budget(seconds, clock=self.clock)
        return [window for window, _ in scan(ranges, order=order, budget=budget, step=self.look)]


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("per_second", [0.0, 1e-6, 1e-5])
def test_windows_cover_the_range_in_order_without_gap_or_overlap(order, per_second):
    windows = Database(per_second=per_second).scan(DAY, order=order)

    if order == "newest":
        windows.reverse()
    assert (windows[0].since, windows[-1].until) == DAY
    assert all(one.until == other.since for one, other in pairwise(windows))


def test_windows_grow_while_they_are_cheap():
    database = Database(per_second=0.0)

    assert len(database.scan(DAY)) < 20
    assert database.asked[0].until - database.asked[0].since == timedelta(seconds=10)


def test_a_window_that_took_too_long_is_tried_again_in_smaller_parts():
    database = Database(per_second=0.1)
    first = Window(NOON - timedelta(seconds=8), NOON)

    windows = database.scan(first)

    assert database.asked[0] == first
    assert windows[0] == Window(NOON - timedelta(seconds=2), NOON)
    assert windows[-1].since == first.since


def test_a_scan_that_runs_out_of_time_says_how_far_it_came():
    database = Database(per_second=0.001)
    windows = scan([DAY], order="newest", budget=Budget(2.0, clock=database.clock), step=database.look)

    with pytest.raises(SpentError) as spent:
        list(windows)

    assert spent.value.border == database.last.since > DAY.since
    assert database.now <= 2.0


def test_a_scan_that_finishes_nothing_stays_where_it_began():
    database = Database(per_second=1e9)

    with pytest.raises(SpentError) as spent:
        database.scan(DAY, order="oldest")

    assert spent.value.border == DAY.since
    assert database.now <= 2.0


def test_a_scan_whose_ranges_take_all_the_time_has_looked_at_nothing():
    def ranges():
        raise SpentError
        yield DAY

    with pytest.raises(SpentError) as spent:
        list(scan(ranges(), order="newest", budget=Budget(2.0), step=Database(per_second=0).look))

    assert spent.value.border is None


def test_between_two_ranges_nothing_is_asked_and_nothing_is_left_to_look_at():
    database = Database(per_second=0.0)
    early, late = (Window(NOON + timedelta(hours=hour), NOON + timedelta(hours=hour, seconds=5)) for hour in (1, 9))
    budget = Budget(0.0012, clock=database.clock)

    with pytest.raises(SpentError) as spent:
        list(scan([late, early], order="newest", budget=budget, step=database.look))

    assert database.asked == [late]
    assert spent.value.border == early.until


def test_windows_begin_and_end_at_whole_milliseconds_as_those_of_the_database():
    windows = Database(per_second=0.003).scan(Window(NOON, NOON + timedelta(seconds=9, milliseconds=7)))

    assert all(not moment.microsecond % 1000 for window in windows for moment in window)


def test_the_range_of_a_filter_holds_the_same_entries_in_whole_milliseconds():
    moment = NOON + timedelta(microseconds=1)

    assert whole(Filter()) == (BEGINNING, END)
    assert whole(Filter(since=NOON, until=moment)) == (NOON, NOON + timedelta(milliseconds=1))
    assert whole(Filter(since=moment)).since == NOON + timedelta(milliseconds=1)
    assert whole(Filter(until=datetime.max.replace(tzinfo=UTC))).until == END


def test_windows_are_cut_to_what_two_have_in_common():
    hour = Window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))

    assert DAY.cut(hour) == (hour.since, NOON)
    assert not DAY.cut(hour).empty
    assert DAY.cut(Window(NOON, END)).empty


def test_long_questions_take_turns_and_a_short_one_waits_for_none():
    now = [0.0]
    first, second = (Budget(FREE_SECONDS + 0.05, clock=lambda: now[0]) for _ in range(2))
    now[0] = FREE_SECONDS
    asked: list[str] = []

    def ask(name: str, budget: Budget, meanwhile=lambda: None) -> None:
        list(
            scan([Window(NOON, NOON + timedelta(seconds=1))], order="oldest", budget=budget, step=look(name, meanwhile))
        )

    def look(name: str, meanwhile):
        def step(window: Window, max_time_ms: int) -> None:
            asked.append(name)
            meanwhile()

        return step

    def others() -> None:
        ask("short", Budget(1.0))
        with pytest.raises(SpentError):
            ask("too late", second)

    ask("first", first, others)
    ask("second", second)

    assert asked == ["first", "short", "second"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_one_entry_far_from_all_others_does_not_keep_a_scan_from_them(order):
    """Behind a gap of thousands of years a window as wide as the gap would hold everything there is."""
    database = Database(per_second=0.0)
    far = datetime(9000, 1, 1, tzinfo=UTC) if order == "newest" else datetime(2, 1, 1, tzinfo=UTC)
    lone = Window(far, far + timedelta(milliseconds=1))
    within = Window(min(DAY.since, lone.since), max(DAY.until, lone.until))

    def look(window: Window, max_time_ms: int) -> Window:
        if window.until - window.since > DAY.until - DAY.since and not DAY.cut(window).empty:
            database.now += max_time_ms / 1000
            raise ExecutionTimeout("operation exceeded time limit", 50, {})
        return window

    def tighten(window: Window) -> Window | None:
        parts = [part for each in (DAY, lone) if not (part := each.cut(window)).empty]
        return Window(min(part.since for part in parts), max(part.until for part in parts)) if parts else None

    budget = Budget(2.0, clock=database.clock)
    looked = [window for window, _ in scan([within], order=order, budget=budget, step=look, tighten=tighten)]

    assert any(not lone.cut(window).empty for window in looked)
    assert sum(
        ((part.until - part.since) for window in looked if not (part := DAY.cut(window)).empty), timedelta()
    ) == (DAY.until - DAY.since)
    assert database.now < 1
