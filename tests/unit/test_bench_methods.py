"""How the benchmark measures: what it brackets, what it counts, when it says that ten minutes left nothing behind."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from contextlib import ExitStack

import pytest

from tests.bench import chart, cli, drain, generators, grpc_generator, load, report
from tests.bench.doors import DOORS, new_tag
from tests.bench.figures import Sample
from tests.bench.generators import Told
from tests.bench.measuring import Bench
from tests.bench.plan import NAMES, UnknownRowError, plan
from tests.bench.processes import spent_between
from tests.bench.rows import Facts, Row, judged
from tests.bench.target import Target
from tests.bench.wrk import MARK
from tests.bench.yardsticks import Bracket, possible_logins

TARGET = Target(broker="http://127.0.0.1:8080", logger="http://127.0.0.1:8084")


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_every_entry_of_a_door_is_different(door):
    tag = new_tag()

    body = door.request(TARGET, tag).body

    lines = body.splitlines()
    assert len(lines) == len(set(lines)) == door.entries
    assert all(f"{tag}-" in line and MARK in line for line in lines)


def test_a_yardstick_is_measured_on_both_sides_and_shared_by_rows_that_follow_each_other():
    now, values = [0.0], iter([10.0, 20.0, 30.0, 100.0])
    bracket = Bracket(clock=lambda: now[0])

    def measure() -> float:
        return next(values)

    first = bracket.mean_after("F", bracket.before("F", measure), measure)
    second = bracket.mean_after("F", bracket.before("F", measure), measure)
    now[0] = 60.0

    assert (first, second, bracket.before("F", measure)) == (15.0, 25.0, 100.0)
    assert bracket.seen == {"F": [10.0, 20.0, 30.0, 100.0]}


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "--concurrency", "7x"],
        ["bench", "--concurrency", "16,0"],
        ["load", "--minutes", "0"],
        ["load", "--rate", "0"],
    ],
)
def test_a_wrong_number_on_the_command_line_is_one_clear_line(capsys, monkeypatch, arguments):
    monkeypatch.setattr("tests.bench.target.own", lambda _state: pytest.fail("a system was started"))

    with pytest.raises(SystemExit) as left:
        cli.main(arguments)

    assert left.value.code == 2
    assert f"argument {arguments[1]}: must be" in capsys.readouterr().err


def test_one_caller_keeps_one_core_busy(monkeypatch):
    monkeypatch.setattr("tests.bench.yardsticks.cores", lambda: 2)

    assert [possible_logins(0.2, callers) for callers in (1, 2, 64)] == [5, 10, 10]


def test_the_drain_is_timed_from_the_first_entry_to_the_last_and_not_from_the_start_of_the_process():
    looks = [(0.0, 0), (5.0, 0), (5.5, 400), (6.0, 900), (7.0, 1_000), (8.0, 1_000)]

    assert drain.rate_of(looks, 1_000) == (500.0, 2.0)


def test_looking_ends_when_all_is_there_or_the_time_is_over():
    counts = iter([0, 5, 10, 11])

    assert [seen for _, seen in drain.watch(lambda: next(counts), 10, limit=5)] == [0, 5, 10]
    assert drain.watch(lambda: 3, 10, limit=0)[-1][1] == 3


def test_a_plan_knows_its_rows_and_measures_a_cold_start_only_when_told():
    assert plan([], quick=False).wants("drain")
    assert not plan([], quick=False).wants("up-cold")
    assert plan(["up-cold"], quick=True).wants("up-cold")
    assert not plan(["up-cold"], quick=True).wants("drain")
    with pytest.raises(UnknownRowError, match="no such row: speed; there are: broker-hit"):
        plan(["drain", "speed"], quick=True)


def test_every_door_can_be_chosen():
    assert {door.name for door in DOORS} <= set(NAMES)


def test_parts_that_did_next_to_nothing_are_left_out():
    assert spent_between({"broker": 1.0, "auth": 2.0}, {"broker": 3.5, "auth": 2.01, "new": 1.0}) == {
        "broker": 2.5,
        "new": 1.0,
    }


def minute(**changes) -> load.Minute:
    figures = {"acknowledged": 60_000, "errors": 0, "p50_ms": 3, "p95_ms": 20, "p99_ms": 40, "max_ms": 90}
    parts = {"pss_mib": {"broker": 60.0}, "descriptors": {"broker": 40}}
    return load.Minute(**{**figures, "latest_send_ms": 1, **parts, **changes})


def result(*minutes: load.Minute, lost: int = 0) -> load.Result:
    return load.Result(minutes, ["broker"], lost, 0.1)


def test_ten_quiet_minutes_are_met():
    assert result(minute(pss_mib={"broker": 20.0}), *[minute()] * 9).verdict() == "met"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"errors": 1}, "minute 2: 1 errors"),
        ({"p95_ms": 100.0}, "minute 2: p95 100 ms, must be < 100 ms"),
        ({"p99_ms": 500.0}, "minute 2: p99 500 ms, must be < 500 ms"),
    ],
)
def test_one_bad_minute_breaks_the_promise(changes, fault):
    ended = result(minute(), minute(**changes), minute(), minute())

    assert ended.faults() == [fault]
    assert not ended.met


def test_memory_that_grows_after_the_second_minute_is_told():
    sizes = [40, 60, 62, 66, 66]

    assert result(*(minute(pss_mib={"broker": size}) for size in sizes)).faults() == ["broker: memory grew by 10.0%"]


@pytest.mark.parametrize(("last", "faults"), [(43, []), (44, ["broker: descriptors grew from 40 to 44"])])
def test_descriptors_may_differ_by_a_few(last, faults):
    counts = [40, 40, last, last]

    assert result(*(minute(descriptors={"broker": count}) for count in counts)).faults() == faults


def test_a_short_load_does_not_judge_memory_and_says_so():
    ended = result(minute(), minute(pss_mib={"broker": 90.0}))

    assert ended.met
    assert "too short" in ended.verdict()


def test_a_lost_entry_breaks_the_promise():
    assert result(*[minute()] * 4, lost=3).verdict() == "not met: 3 acknowledged entries are not in the store"


def rows() -> list[Row]:
    return [
        judged("handle-log", 64, [6_000.0], "requests/s", yardstick_value=10_000.0),
        judged("jsonrpc", 16, [9_000.0], "requests/s", facts=Facts(lost=2)),
        judged("idle-memory broker", 1, [60.0], "MiB"),
        judged("F", 64, [10_000.0], "requests/s"),
    ]


def test_the_summary_names_what_was_missed_and_lost():
    assert report.summary(rows()) == (
        "2 of 3 bars met, 1 of them with their aim; missed: jsonrpc c=16; LOST ENTRIES: 2"
    )


def test_the_table_has_a_line_for_each_row():
    lines = report.table(rows())

    assert len(lines) == 5
    assert "0.60 F" in lines[1]
    assert "<= 128.0" in lines[3]


def test_a_written_result_becomes_a_table_for_the_page():
    head, _, first, *_ = report.markdown([row.as_json() for row in rows()]).splitlines()

    assert head.count("|") == first.count("|")
    assert first == "| `handle-log` | 64 | 6,000 requests/s |  | 0.60 F | 0.5 | 0.7 | yes |"


def test_the_chart_shows_bars_on_speed_and_is_well_formed():
    about = {"machine": {"cores": 2, "cpu": "A <fast> one"}, "date": "2026-11-21T08:00:00+00:00"}

    picture = chart.draw({**about, "rows": [row.as_json() for row in rows()]})

    texts = [element.text for element in ET.fromstring(picture).iter() if element.tag.endswith("text")]  # noqa: S314 - our own
    assert "handle-log" in texts
    assert "jsonrpc, c=16" in texts
    assert not any("idle-memory" in (text or "") for text in texts)
    assert picture.count("<circle") == 1


class CountingStore:
    """Holds what it is told, and remembers whether it was emptied."""

    def __init__(self, stored: int) -> None:
        self.stored = stored
        self.cleared = False

    def clear(self) -> None:
        self.cleared = True

    def settled(self, tag: str, wanted: int, seconds: float) -> int:
        return min(self.stored, wanted)

    def insert_rate(self, seconds: float) -> float:
        return 100_000.0


@pytest.mark.parametrize(("stored", "lost"), [(1_000_000, 0), (99, 1)])
def test_what_is_missing_from_the_store_is_told_and_entries_of_another_system_are_left_alone(stored, lost, monkeypatch):
    store = CountingStore(stored)
    target = Target(broker="", logger="http://127.0.0.1:8084", grpc="127.0.0.1:1", store=store)
    told = Told(Sample(0, 1.0, 1.0, 2.0, 3.0), in_all=0)
    answers = iter([told, Told(Sample(1, 1.0, 1.0, 2.0, 3.0), in_all=1)])
    monkeypatch.setattr(generators, "run", lambda *_: next(answers))
    monkeypatch.setattr(grpc_generator, "ENTRIES", 100)

    with ExitStack() as stack:
        (row,) = Bench(target, plan(["grpc-bulk"], quick=True), stack).grpc_bulk(64)

    assert (row.value, row.ratio, row.lost) == (100, 0.001, lost)
    assert not store.cleared
