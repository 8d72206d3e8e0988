"""The thread that does work again and again: when it looks, when it rests, what it says, how it stops."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from common.background import BackgroundWork, Rhythm
from common.errors import UnavailableError
from tests.waiting import eventually

IDLE = Rhythm(look=60, longest_pause=60, first_pause=60)
BRISK = Rhythm(look=60, longest_pause=0.002, first_pause=0.001)


class Script:
    """Rounds that end as told; after the last one there is nothing left to do."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.outcomes = list(outcomes)
        self.rounds = 0

    def __call__(self) -> bool:
        self.rounds += 1
        outcome = self.outcomes.pop(0) if self.outcomes else False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def run():
    started = []

    def start(work, rhythm=IDLE):
        background = BackgroundWork("the work", work, rhythm)
        started.append(background)
        background.start()
        return background

    yield start
    for background in started:
        background.stop()


def running() -> int:
    return [thread.name for thread in threading.enumerate()].count("the work")


def test_pauses_double_up_to_a_cap_and_never_march_in_step():
    rhythm = Rhythm(look=1, longest_pause=10, first_pause=0.5)

    longest = [max(rhythm.pause(failures) for _ in range(200)) for failures in (1, 2, 3, 50, 5000)]

    assert longest[0] <= 0.5 < longest[1] <= 1.0 < longest[2] <= 2.0 < longest[3] <= 10 >= longest[4]
    assert min(rhythm.pause(50) for _ in range(200)) >= 5
    assert len({rhythm.pause(3) for _ in range(10)}) > 1


@pytest.mark.parametrize(
    ("failure", "reason", "traceback"),
    [(UnavailableError("away"), "away", False), (RuntimeError("host=10.0.0.1"), "RuntimeError", True)],
)
def test_it_outlives_every_failure_and_says_once_that_it_is_late_and_once_that_it_goes_on(
    run, caplog, failure, reason, traceback
):
    caplog.set_level("INFO", "common.background")

    run(Script(failure, failure, failure), BRISK)

    eventually(lambda: [record.message for record in caplog.records] == ["work_delayed", "work_resumed"])
    late, resumed = caplog.records
    assert (late.work, late.reason, bool(late.exc_info)) == ("the work", reason, traceback)
    assert (resumed.work, resumed.failures) == ("the work", 3)


def test_it_is_late_again_after_it_has_gone_on(run, caplog):
    caplog.set_level("INFO", "common.background")

    run(Script(UnavailableError("a"), True, UnavailableError("b")), BRISK)

    eventually(lambda: [record.message for record in caplog.records] == ["work_delayed", "work_resumed"] * 2)


def test_rounds_follow_each_other_for_as_long_as_there_is_more(run):
    script = Script(True, True, True)

    run(script)

    eventually(lambda: script.rounds == 4)


def test_being_told_wakes_it_at_once(run):
    script = Script()
    background = run(script)
    eventually(lambda: script.rounds == 1)

    background.notify()

    eventually(lambda: script.rounds == 2)


def test_what_it_is_told_during_a_round_starts_another(run):
    inside, told = threading.Event(), threading.Event()
    rounds = []

    def work() -> bool:
        rounds.append(1)
        inside.set()
        told.wait(10)
        return False

    background = run(work)
    assert inside.wait(10)
    background.notify()
    told.set()

    eventually(lambda: len(rounds) == 2)


def test_it_looks_by_itself_when_nobody_tells_it_anything(run):
    script = Script()

    run(script, replace(IDLE, look=0.01))

    eventually(lambda: script.rounds > 3)


def test_being_told_does_not_shorten_the_pause_after_a_failure(run):
    rounds: list[float] = []

    def work() -> bool:
        rounds.append(time.monotonic())
        if len(rounds) == 1:
            raise UnavailableError("away")
        return False

    background = run(work, replace(IDLE, first_pause=0.6))
    eventually(lambda: background.failures == 1)
    for _ in range(20):
        background.notify()

    eventually(lambda: len(rounds) == 2)
    assert rounds[1] - rounds[0] >= 0.3


def test_a_stop_ends_a_long_pause_and_a_long_wait_at_once(run):
    resting, idle = run(Script(UnavailableError("away"))), Script()
    waiting = run(idle)
    eventually(lambda: resting.failures == 1 and idle.rounds == 1)

    resting.stop()
    waiting.stop()

    assert running() == 0


def test_a_stop_waits_for_a_round_that_is_under_way_and_tells_it(run):
    inside = threading.Event()
    ended = []

    def work() -> bool:
        inside.set()
        eventually(lambda: background.stopping)
        ended.append(True)
        return True

    background = BackgroundWork("the work", work, IDLE)
    background.start()
    assert inside.wait(10)

    background.stop()

    assert ended == [True]


def test_a_round_that_never_ends_holds_up_no_stop(run):
    inside, end = threading.Event(), threading.Event()

    def work() -> bool:
        inside.set()
        end.wait(30)
        return False

    background = run(work, replace(IDLE, stop=0.01))
    assert inside.wait(10)

    background.stop()

    assert running() == 1
    end.set()
    eventually(lambda: running() == 0)


def test_a_stop_before_the_start_is_no_error():
    BackgroundWork("the work", lambda: False, IDLE).stop()
