"""How many messages may be under way: it starts low, follows their sizes, and holds when they grow all at once."""

from __future__ import annotations

import pytest

from worker.window import OVERHEAD, Window

MIB = 1024 * 1024


def observe(window: Window, *sizes: int) -> bool:
    """Whether the last of them made it worth looking."""
    seen = [window.observe(size) for size in sizes]
    return seen[-1]


def test_it_starts_as_if_every_message_were_as_large_as_allowed():
    assert Window(limit=2000, budget=64 * MIB).size == 31


def test_small_messages_open_it_after_the_first_full_window():
    window = Window(limit=2000, budget=64 * MIB)

    assert not observe(window, *[200] * 30)
    assert observe(window, 200)
    assert window.adapt()
    assert window.size == 2000


@pytest.mark.parametrize(("limit", "size"), [(1, 1), (20, 20)])
def test_a_limit_of_messages_is_never_passed(limit, size):
    window = Window(limit=limit, budget=64 * MIB)

    observe(window, *[10] * 100)

    assert not window.adapt()
    assert window.size == size


def test_large_messages_narrow_it():
    window = Window(limit=2000, budget=64 * MIB)
    observe(window, *[200] * 31)
    window.adapt()

    observe(window, *[MIB] * 2000)

    assert window.adapt()
    assert window.size < 64


def test_what_would_change_little_is_left_alone():
    window = Window(limit=100_000, budget=64 * MIB)
    observe(window, *[10_000] * 31)
    window.adapt()
    size = window.size

    observe(window, *[15_000] * size)

    assert not window.adapt()
    assert window.size == size


def test_one_message_too_many_makes_all_count_as_that_large_until_more_is_known():
    window = Window(limit=2000, budget=64 * MIB)
    observe(window, *[200] * 31)
    window.adapt()

    window.overflowed(4 * MIB)

    assert window.size == 64 * MIB // 2 // (4 * MIB + OVERHEAD)


def test_a_message_larger_than_the_budget_still_may_come_alone():
    window = Window(limit=2000, budget=MIB)

    window.overflowed(100 * MIB)

    assert window.size == 1


def test_the_limit_itself_is_worth_a_new_consumer_however_near_it_is():
    window = Window(limit=50, budget=64 * MIB)
    observe(window, *[200] * 31)

    assert window.adapt()
    assert window.size == 50


def test_the_past_counts_half_so_the_next_look_comes_sooner():
    window = Window(limit=10, budget=64 * MIB)
    observe(window, *[200] * 10)
    assert not window.adapt()

    assert [observe(window, 200) for _ in range(5)] == [False] * 4 + [True]


def test_a_message_that_was_one_too_many_never_widens_the_window():
    window = Window(limit=2000, budget=64 * MIB)

    window.overflowed(200)

    assert window.size == 31
