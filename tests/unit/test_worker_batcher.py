"""When a batch leaves, and how few words settle it."""

from __future__ import annotations

import pytest

from common.errors import UnavailableError
from worker.batcher import ENTRY_OVERHEAD, Batcher, BatchLimits
from worker.domain import Delivery, Settlement
from worker.ledger import Ledger
from worker.pulse import STALE_SECONDS, Progress, Pulse


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def delivery(tag: int, size: int = 10) -> Delivery:
    return Delivery(tag, b"x" * size, "log.INFO", {}, {})


def tags(batches) -> list[list[int]]:
    return [[each.tag for each in batch] for batch in batches]


def test_a_batch_leaves_when_it_is_full():
    batcher = Batcher(BatchLimits(size=3, wait=1))

    left = [batcher.add(delivery(tag)) for tag in (1, 2, 3, 4)]

    assert [tags(each) for each in left] == [[], [], [[1, 2, 3]], []]
    assert tags([batcher.take()]) == [[4]]


def test_a_batch_leaves_before_it_is_too_heavy_for_one_call():
    batcher = Batcher(BatchLimits(size=100, wait=1, bytes=3 * ENTRY_OVERHEAD))
    batcher.add(delivery(1, ENTRY_OVERHEAD))

    left = batcher.add(delivery(2, ENTRY_OVERHEAD))

    assert tags(left) == [[1]]


def test_a_delivery_over_the_limit_leaves_alone_and_at_once():
    batcher = Batcher(BatchLimits(size=100, wait=1, bytes=1000))
    batcher.add(delivery(1))

    left = batcher.add(delivery(2, 5000))

    assert tags(left) == [[1], [2]]


def test_the_wait_counts_from_the_first_delivery_of_each_batch():
    clock = Clock()
    batcher = Batcher(BatchLimits(size=100, wait=0.05), clock=clock)
    assert batcher.due_in() is None

    batcher.add(delivery(1))
    clock.now += 0.03
    batcher.add(delivery(2))

    assert batcher.due_in() == pytest.approx(0.02)
    batcher.take()
    assert batcher.due_in() is None
    batcher.add(delivery(3))
    assert batcher.due_in() == pytest.approx(0.05)


def ledger_with(*given: int) -> Ledger:
    ledger = Ledger()
    for tag in given:
        ledger.opened(tag)
    return ledger


def test_a_settled_prefix_is_acknowledged_in_one_word():
    ledger = ledger_with(1, 2, 3, 4)

    assert ledger.stored([2, 1, 3]) == [Settlement(3, multiple=True)]
    assert len(ledger) == 1


def test_what_lies_beyond_one_in_hand_is_acknowledged_alone():
    ledger = ledger_with(1, 2, 3, 4)

    assert ledger.stored([1, 3, 4]) == [Settlement(1, multiple=True), Settlement(3), Settlement(4)]
    assert ledger.stored([2]) == [Settlement(2, multiple=True)]


def test_a_tag_is_never_settled_twice():
    ledger = ledger_with(1, 2)

    ledger.stored([1, 2])

    assert ledger.stored([1, 2]) == []
    assert ledger.refused([2]) == []


def test_a_refused_delivery_is_not_swallowed_by_an_acknowledgement_of_all_before():
    ledger = ledger_with(1, 2, 3)

    assert ledger.refused([2]) == [Settlement(2, refused=True)]
    assert ledger.stored([1, 3]) == [Settlement(3, multiple=True)]


def test_the_ledger_knows_what_is_in_hand_and_for_how_long_nothing_was_settled():
    clock = Clock()
    ledger = Ledger(clock=clock)
    clock.now += 100
    assert ledger.quiet_for() == 0

    ledger.opened(1, 10)
    clock.now += 5
    ledger.opened(2, 20)
    assert (ledger.weight, ledger.quiet_for()) == (30, 5)
    ledger.stored([1])
    clock.now += 2

    assert (ledger.weight, ledger.quiet_for()) == (20, 2)
    ledger.refused([2])
    assert (ledger.weight, ledger.quiet_for()) == (0, 0)


class Work:
    """What the probe sees of an intake."""

    def __init__(self, *, quiet: float, outage: str = "", stuck: bool = False) -> None:
        self.quiet_for = lambda: quiet
        self.in_hand = lambda: 7 if quiet else 0
        self.outage = lambda: outage
        self.hung = lambda: stuck


def test_a_worker_that_settles_nothing_is_not_ready_and_says_so():
    Progress(Work(quiet=0), limit=30).check()
    Progress(Work(quiet=29), limit=30).check()

    with pytest.raises(UnavailableError, match="7 events in hand, none settled for 31 s"):
        Progress(Work(quiet=31), limit=30).check()


def test_a_worker_that_only_waits_for_another_part_is_ready_and_says_what_it_waits_for():
    waiting = Progress(Work(quiet=31, outage="log store cannot be reached"), limit=30)

    waiting.check()

    with pytest.raises(UnavailableError, match="7 events wait since 31 s: log store cannot be reached"):
        waiting.check_held()


def test_a_hung_thread_is_no_outage_of_another_part():
    with pytest.raises(UnavailableError, match="none settled"):
        Progress(Work(quiet=31, outage="late", stuck=True), limit=30).check()


def test_without_anything_in_hand_nothing_is_held():
    Progress(Work(quiet=0, outage="log store cannot be reached"), limit=30).check_held()


def test_readiness_follows_the_subscription_and_the_turning_loop():
    clock = Clock()
    pulse = Pulse(clock=clock)
    with pytest.raises(Exception, match="not consuming"):
        pulse.check()

    pulse.attached()
    pulse.check()
    clock.now += STALE_SECONDS + 1
    with pytest.raises(Exception, match="does not answer"):
        pulse.check()
    pulse.beat()
    pulse.check()
    pulse.detached()
    with pytest.raises(Exception, match="not consuming"):
        pulse.check()
