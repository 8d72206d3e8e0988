from __future__ import annotations

import pytest

from common.lifecycle import Lifecycle, patiently


def recording(name: str, story: list[str], *, failing: str = ""):
    def act(what: str):
        def run() -> None:
            if what == failing:
                raise OSError(name)
            story.append(f"{what} {name}")

        return run

    return {"start": act("start"), "stop": act("stop")}


def test_parts_stop_in_the_reverse_order_of_their_start():
    story: list[str] = []
    lifecycle = Lifecycle()
    lifecycle.add("store", **recording("store", story))
    lifecycle.add("door", **recording("door", story))

    lifecycle.start()
    lifecycle.stop()
    lifecycle.stop()

    assert story == ["start store", "start door", "stop door", "stop store"]


def test_a_part_that_does_not_start_takes_back_those_before_it():
    story: list[str] = []
    lifecycle = Lifecycle()
    lifecycle.add("store", **recording("store", story))
    lifecycle.add("door", **recording("door", story, failing="start"))

    with pytest.raises(OSError, match="door"):
        lifecycle.start()

    assert story == ["start store", "stop store"]


def test_a_part_that_does_not_stop_keeps_nobody_else_from_stopping():
    story: list[str] = []
    lifecycle = Lifecycle()
    lifecycle.add("store", **recording("store", story))
    lifecycle.add("door", **recording("door", story, failing="stop"))

    lifecycle.start()
    lifecycle.stop()

    assert story == ["start store", "start door", "stop store"]


def test_patience_outlasts_a_port_that_is_being_let_go_and_has_an_end():
    attempts: list[int] = []

    def third_time() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("taken")

    patiently(third_time, expecting=OSError, seconds=5)()
    assert len(attempts) == 3

    def never() -> None:
        raise OSError("taken")

    with pytest.raises(OSError, match="taken"):
        patiently(never, expecting=OSError, seconds=0)()
