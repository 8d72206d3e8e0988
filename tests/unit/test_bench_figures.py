"""What the generators print becomes figures, medians and verdicts."""

from __future__ import annotations

import pytest

from tests.bench import wrk
from tests.bench.bars import BARS, bar_of, yardstick_of
from tests.bench.figures import Sample, median_sample, of_latencies, percentile
from tests.bench.rows import Facts, judged, of_samples

PRINTED = """Running 5s test @ http://127.0.0.1:8080/handle
  2 threads and 64 connections
RESULT {"requests":1000,"duration_us":2000000,"p50_us":1500,"p95_us":4000,"p99_us":9000,\
"connect":1,"read":2,"write":3,"timeout":4,"status":100,"pushed_back":90}
"""


def sample(rate: int, p99: float = 10.0, errors: int = 0) -> Sample:
    return Sample(acknowledged=rate, seconds=1.0, p50_ms=1.0, p95_ms=5.0, p99_ms=p99, errors=errors)


def test_refused_requests_count_as_errors_and_not_as_speed():
    assert wrk.parse(PRINTED) == Sample(900, 2.0, 1.5, 4.0, 9.0, errors=110, pushed_back=90)
    assert wrk.parse(PRINTED).rate == 450


@pytest.mark.parametrize("printed", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_a_generator_that_measured_nothing_is_an_error_with_its_words(printed):
    with pytest.raises(wrk.GeneratorError, match="Connection refused" if printed else "it said nothing"):
        wrk.parse(printed)


def test_a_request_is_whole_and_its_length_holds_when_the_mark_is_replaced():
    raw = wrk.Request("http://127.0.0.1:8080/log", f'{{"name":"ü{wrk.MARK}"}}').raw()

    head, _, body = raw.replace(wrk.MARK.encode(), b"%010d" % 7).partition(b"\r\n\r\n")

    assert head.startswith(b"POST /log HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (0.1, 1)])
def test_a_percentile_is_the_nearest_rank(percent, value):
    assert percentile(range(1, 101), percent) == value


def test_no_value_has_the_percentile_zero():
    assert percentile([], 99) == 0


def test_a_generator_tells_milliseconds():
    told = of_latencies([0.003, 0.001, 0.002], acknowledged=3, seconds=1.0, errors=0)

    assert (told["p50_ms"], told["p99_ms"]) == (2.0, 3.0)
    assert Sample.of({**told, "more": 1}).acknowledged == 3


def test_the_median_is_of_each_figure_and_errors_add_up():
    middle = median_sample([sample(100, 30.0, 1), sample(300, 10.0), sample(200, 20.0, 2)])

    assert (middle.rate, middle.p99_ms, middle.errors) == (200, 20.0, 3)


def test_a_row_is_set_against_its_yardstick():
    row, slowest = of_samples("handle-log", 64, [sample(6_000, 50.0)], "requests/s", yardstick_value=10_000)

    assert (row.yardstick, row.ratio, row.must, row.aim, row.met, row.aim_met) == ("F", 0.6, 0.5, 0.7, True, False)
    assert (slowest.name, slowest.value, slowest.met, slowest.aim_met) == ("handle-log p99", 50.0, True, False)


def test_a_bar_holds_at_its_own_concurrency_only():
    (row,) = of_samples("handle-log", 16, [sample(1)], "requests/s", yardstick_value=10_000)

    assert (row.ratio, row.must, row.met) == (0.0001, None, None)


def test_an_error_or_a_lost_entry_spoils_a_bar_that_the_speed_would_meet():
    fast = {"yardstick_value": 1.0}

    assert judged("logger-bulk", 64, [1.0], "entries/s", **fast).aim_met
    assert judged("logger-bulk", 64, [1.0], "entries/s", errors=1, **fast).met is False
    assert judged("logger-bulk", 64, [1.0], "entries/s", facts=Facts(lost=1), **fast).met is False


def test_a_door_that_answered_nothing_meets_no_bar():
    speed, slowest = of_samples("handle-log", 64, [Sample(0, 1.0, 0.0, 0.0, 0.0)], "requests/s", yardstick_value=1.0)

    assert (speed.met, slowest.met) == (False, False)


def test_without_its_yardstick_a_row_has_no_verdict():
    row = judged("logger-bulk", 64, [1.0], "entries/s")

    assert (row.must, row.met, row.ratio) == (0.25, None, None)


@pytest.mark.parametrize(
    ("value", "met", "aim_met"), [(25_000, True, True), (12_000, True, False), (11_999, False, False)]
)
def test_a_bar_without_yardstick_is_in_the_rows_own_unit(value, met, aim_met):
    row = judged("jsonrpc", 16, [value], "requests/s")

    assert (row.met, row.aim_met) == (met, aim_met)


@pytest.mark.parametrize(("mib", "met", "aim_met"), [(80, True, True), (128, True, False), (129, False, False)])
def test_of_memory_less_is_better(mib, met, aim_met):
    row = judged("idle-memory broker", 1, [mib], "MiB")

    assert (row.met, row.aim_met) == (met, aim_met)


def test_every_bar_asks_less_than_it_aims_at_and_stands_once():
    assert all((bar.aim < bar.must) == bar.lower_is_better for bar in BARS)
    assert len({(bar.row, bar.concurrency) for bar in BARS}) == len(BARS)
    assert all(yardstick_of(bar.row) == bar.yardstick for bar in BARS)
    assert bar_of("nothing", 1) is None


def test_json_rows_have_the_promised_names():
    told = judged("jsonrpc", 16, [20_000.123456], "requests/s", latency=sample(1)).as_json()

    promised = "name concurrency value unit p50_ms p95_ms p99_ms errors yardstick ratio must aim met"
    assert set(promised.split()) <= set(told)
    assert told["value"] == 20_000.1235
