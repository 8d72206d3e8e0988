from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.combining import MIB, Combiner, Limits, _Job
from common.errors import DeadlineError, TooManyError, UnavailableError
from tests.waiting import eventually

SILENCE = 0.5


class Gate:
    """An action that waits to be let through, and remembers its batches."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun: list[list[int]] = []

    def __call__(self, items: list[int]) -> list[int]:
        self.begun.append(items)
        assert self.open.wait(10)
        return items


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def combiner(gate) -> Iterator[Combiner[int, int]]:
    combiner = Combiner(gate, what="the store", weigh=lambda _: 1, limits=Limits(lanes=1, timeout=5.0))
    combiner.start()
    yield combiner
    gate.open.set()
    combiner.stop()


def test_who_waits_in_silence_gives_up_long_before_the_time_out(combiner):
    started = time.monotonic()

    with pytest.raises(DeadlineError, match="the store did not confirm in time"):
        combiner.submit([1], silence=SILENCE)

    assert SILENCE <= time.monotonic() - started < 4


def test_who_waits_while_others_are_carried_out_keeps_waiting():
    def slowly(items: list[int]) -> list[int]:
        assert not never.wait(SILENCE / 10)
        return items

    never = threading.Event()
    combiner = Combiner(slowly, what="the store", weigh=lambda _: 1, limits=Limits(lanes=1, max_batch=1, timeout=5.0))
    combiner.start()
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda number=number: results.extend(combiner.submit([number], silence=SILENCE)))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    combiner.stop()

    assert sorted(results) == list(range(20))


def test_what_nobody_waits_for_any_more_is_not_begun(combiner, gate):
    with pytest.raises(DeadlineError):
        combiner.submit([1], silence=SILENCE)
    with pytest.raises(DeadlineError):
        combiner.submit([2], silence=SILENCE)

    gate.open.set()

    assert combiner.submit([3]) == [3]
    assert gate.begun == [[1], [3]]
    eventually(lambda: combiner.pending == 0)


def test_a_call_whose_time_was_over_before_it_was_begun_is_never_taken_for_carried_out():
    """On a busy machine its caller wakes up late, and sees the batch's end before the end of its own time."""
    done = []
    combiner = Combiner(lambda items: done.extend(items) or [True] * len(items), what="the store", weigh=lambda _: 1)
    late, early = _Job([1], 1, deadline=time.monotonic()), _Job([2], 1, deadline=time.monotonic() + 60)

    combiner._carry_out([late, early])

    assert done == [2]
    assert (early.results, early.error) == ([True], None)
    assert isinstance(late.error, DeadlineError)


def test_heavy_items_make_small_batches():
    sizes: list[int] = []
    first = threading.Event()

    def note(items: list[bytes]) -> list[int]:
        assert first.wait(10)
        sizes.append(len(items))
        return [len(item) for item in items]

    limits = Limits(lanes=1, max_batch=100, max_batch_bytes=3 * MIB, timeout=5.0)
    combiner = Combiner(note, what="the store", weigh=len, limits=limits)
    combiner.start()
    with ThreadPoolExecutor(8) as pool:
        taken = [pool.submit(combiner.submit, [bytes(MIB)]) for _ in range(8)]
        eventually(lambda: combiner.pending == 8)
        first.set()
        assert [list(each.result(5)) for each in taken] == [[MIB]] * 8
    combiner.stop()

    assert max(sizes) <= 2
    assert sum(sizes) == 8


def test_a_few_heavy_items_fill_the_room_as_many_light_ones_do(gate):
    limits = Limits(lanes=1, max_pending_bytes=4 * MIB, timeout=5.0)
    combiner = Combiner(gate, what="the store", weigh=lambda _: MIB, limits=limits)
    combiner.start()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(combiner.submit, [1, 2, 3])
        eventually(lambda: combiner.pending == 3)
        with pytest.raises(TooManyError):
            combiner.submit([4])
        gate.open.set()
        taken.result(5)
    assert combiner.submit([4]) == [4]
    combiner.stop()


def test_a_batch_has_no_more_items_than_it_may_unless_one_call_brings_them(gate):
    combiner = Combiner(gate, what="the store", weigh=lambda _: 1, limits=Limits(lanes=1, max_batch=3, timeout=5.0))
    combiner.start()
    with ThreadPoolExecutor(6) as pool:
        taken = [pool.submit(combiner.submit, [1])]
        eventually(lambda: gate.begun)
        taken += [pool.submit(combiner.submit, [1]) for _ in range(4)]
        eventually(lambda: combiner.pending == 5)
        taken.append(pool.submit(combiner.submit, [2] * 5))
        eventually(lambda: combiner.pending == 10)
        gate.open.set()
        for each in taken:
            each.result(5)
    combiner.stop()

    assert [len(batch) for batch in gate.begun] == [1, 3, 1, 5]


def test_a_call_larger_than_all_the_room_is_taken_when_nothing_else_waits(gate):
    limits = Limits(lanes=1, max_pending_bytes=MIB, timeout=5.0)
    combiner = Combiner(gate, what="the store", weigh=lambda _: MIB, limits=limits)
    gate.open.set()
    combiner.start()

    assert combiner.submit([1, 2]) == [1, 2]
    combiner.stop()


def test_what_was_taken_before_the_stop_is_carried_out_and_nothing_is_taken_after_it(combiner, gate):
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(combiner.submit, [1])]
        eventually(lambda: gate.begun)
        taken.append(pool.submit(combiner.submit, [2]))
        eventually(lambda: combiner.pending == 2)
        stopping = pool.submit(combiner.stop)
        eventually(lambda: combiner._stopping)
        with pytest.raises(UnavailableError, match="the store is stopping"):
            combiner.submit([3])
        gate.open.set()
        stopping.result(5)

        assert [list(each.result(5)) for each in taken] == [[1], [2]]


def test_a_lane_that_lingers_makes_one_batch_of_what_comes_in_quick_succession(gate):
    limits = Limits(lanes=1, linger=5.0, timeout=10.0)
    combiner = Combiner(gate, what="the store", weigh=lambda _: 1, limits=limits)
    combiner.start()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(combiner.submit, [1])
        eventually(lambda: gate.begun == [[1]])
        crowd = [pool.submit(combiner.submit, [number]) for number in (2, 3)]
        eventually(lambda: combiner.pending == 3)
        gate.open.set()
        first.result(5)
        [each.result(5) for each in crowd]
        late = [pool.submit(combiner.submit, [number]) for number in (4, 5, 6)]
        eventually(lambda: combiner.pending == 3)
        combiner.stop()  # ends the pause, not the work
        assert [list(each.result(5)) for each in late] == [[4], [5], [6]]

    assert [len(batch) for batch in gate.begun] == [1, 2, 3]
