"""Nothing is settled before it is kept, and nothing that is kept stays unsettled."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from common.errors import BadReplyError, DeadlineError, InvalidError, TooManyError, UnavailableError
from tests.waiting import eventually
from worker import patience, verdict
from worker.batcher import BatchLimits
from worker.domain import Delivery, Settlement
from worker.memory import MemoryDeadLetters, MemoryLogStore, MemoryRetryTiers
from worker.service import STORERS, LogIntake
from worker.window import Window


class Desk:
    """An intake with its neighbours, and everything that the broker was told."""

    def __init__(
        self, *, size: int = 3, prefetch: int = 100, hold: float = 600, stall: float = 600, clock=time.monotonic
    ) -> None:
        self.store = MemoryLogStore()
        self.dead = MemoryDeadLetters()
        self.tiers = MemoryRetryTiers()
        self.told: list[Settlement] = []
        self.woken = threading.Event()
        self.intake = LogIntake(
            self.store,
            self.dead,
            self.tiers,
            limits=BatchLimits(size=size, wait=60),
            window=Window(limit=prefetch, budget=1024 * 1024 * 1024),
            hold=hold,
            stall=stall,
            clock=clock,
        )
        self.intake.start()
        self.intake.begin(self.woken.set)

    def deliver(self, *names: str | bytes, first: int = 1, key: str = "log.INFO", headers: dict | None = None) -> None:
        for tag, name in enumerate(names, start=first):
            body = name if isinstance(name, bytes) else f'{{"id":"id-{name}","name":"{name}","data":""}}'.encode()
            self.intake.receive(Delivery(tag, body, key, headers or {}, {}))

    def wait_empty(self) -> None:
        """Everything in hand has been settled."""
        eventually(lambda: self.settled() and not self.intake.in_hand(), every=0.005)

    def settled(self) -> list[Settlement]:
        self.told += self.intake.settlements()
        return self.told

    def wait_settled(self, expected: list[Settlement]) -> None:
        eventually(lambda: self.settled() == expected, every=0.005)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.intake.stop()


def test_a_full_batch_is_one_call_and_one_acknowledgement(desk):
    desk.deliver("a", "b", "c")

    desk.wait_settled([Settlement(3, multiple=True)])
    assert desk.store.calls == [3]
    assert desk.woken.is_set()


def test_nothing_is_acknowledged_while_the_batch_waits_to_fill(desk):
    desk.deliver("a", "b")
    assert desk.settled() == []
    assert 0 < desk.intake.due_in() <= 60

    desk.intake.flush()

    desk.wait_settled([Settlement(2, multiple=True)])


def test_a_prefetch_of_one_does_not_wait_for_company():
    desk = Desk(prefetch=1)

    desk.deliver("a")

    desk.wait_settled([Settlement(1, multiple=True)])
    desk.intake.stop()


@pytest.mark.parametrize(
    "failure",
    [UnavailableError("down"), DeadlineError("late"), TooManyError("full"), BadReplyError("odd"), RuntimeError("bug")],
)
def test_a_passing_failure_keeps_the_batch_and_its_ids(desk, failure):
    desk.store.failures = [failure, failure, failure]

    desk.deliver("a", b'{"name":"no id","data":""}', "c")

    desk.wait_settled([Settlement(3, multiple=True)])
    assert desk.store.calls == [3, 3, 3, 3]
    assert len(desk.store.entries) == 3
    assert not desk.dead.kept


def test_entries_without_an_id_keep_the_one_they_were_given_through_every_retry(desk):
    seen: list[list[str]] = []
    write = desk.store.write
    desk.store.write = lambda entries: seen.append([entry.id for entry in entries]) or write(entries)
    desk.store.failures = [DeadlineError("late")]

    desk.deliver(*[b'{"name":"no id","data":""}'] * 3)

    desk.wait_settled([Settlement(3, multiple=True)])
    assert seen[0] == seen[1]


def test_poison_goes_to_the_dead_letters_before_it_is_acknowledged(desk):
    desk.dead.failures = [UnavailableError("down")]

    desk.deliver("a", b"poison", "c")

    eventually(lambda: len(desk.settled()) and not desk.intake.in_hand())
    assert [(each.delivery.tag, each.reason) for each in desk.dead.kept] == [(2, "body is not valid JSON")]
    assert list(desk.store.entries) == ["id-a", "id-c"]
    assert not any(each.refused for each in desk.told)


def test_events_flow_on_while_the_dead_letters_cannot_be_reached(desk):
    desk.dead.failures = [UnavailableError("down")] * 1000

    desk.deliver(b"poison", "b", "c")
    desk.deliver("d", "e", "f", first=4)

    eventually(lambda: len(desk.settled()) == 5)
    assert desk.intake.in_hand() == 1
    desk.dead.failures.clear()
    eventually(lambda: desk.settled() and not desk.intake.in_hand())
    assert len(desk.dead.kept) == 1


def test_an_entry_that_the_store_refuses_is_set_aside_with_the_stores_reason(desk):
    desk.store.refusals = {"b": "data: must not be longer than 1048576 bytes"}

    desk.deliver("a", "b", "c")

    eventually(lambda: desk.settled() and not desk.intake.in_hand())
    assert [each.reason for each in desk.dead.kept] == ["data: must not be longer than 1048576 bytes"]
    assert list(desk.store.entries) == ["id-a", "id-c"]


def test_one_entry_that_spoils_the_whole_call_is_found_and_the_others_are_kept(desk):
    write = desk.store.write

    def spoiled(entries):
        if any(entry.name == "b" for entry in entries):
            raise InvalidError("request is not a valid message")
        return write(entries)

    desk.store.write = spoiled

    desk.deliver("a", "b", "c")

    eventually(lambda: desk.settled() and not desk.intake.in_hand())
    assert list(desk.store.entries) == ["id-a", "id-c"]
    assert [each.reason for each in desk.dead.kept] == ["request is not a valid message"]


def always(error: Exception):
    """A log store that raises `error` whatever it is given."""

    def write(_entries):
        raise error

    return write


def climbed(*tiers: str) -> dict:
    return {"x-attempts": json.dumps([{"at": "2026-03-01", "reason": "odd", "tier": tier} for tier in tiers])}


@pytest.mark.parametrize("failure", [RuntimeError("bug"), BadReplyError("log store could not handle the request")])
def test_a_fault_of_its_own_that_does_not_pass_sends_each_event_to_the_first_retry_tier(desk, failure):
    desk.store.write = always(failure)

    desk.deliver("a", "b", "c")

    desk.wait_empty()
    assert [(each.record_id, each.tier) for each in desk.tiers.kept] == [
        ("id-a", "logs.retry.5s"),
        ("id-b", "logs.retry.5s"),
        ("id-c", "logs.retry.5s"),
    ]
    assert all(each.reason for each in desk.tiers.kept)
    assert not desk.dead.kept


@pytest.mark.parametrize(
    ("past", "tier"),
    [(["logs.retry.5s"], "logs.retry.30s"), (["logs.retry.5s", "logs.retry.30s"], "logs.retry.5m")],
)
def test_each_further_failure_climbs_one_tier(desk, past, tier):
    desk.store.write = always(RuntimeError("bug"))

    desk.deliver("a", "b", "c", headers=climbed(*past))

    desk.wait_empty()
    assert {each.tier for each in desk.tiers.kept} == {tier}


def test_after_the_last_tier_an_event_is_a_dead_letter_under_the_identity_of_its_attempts(desk):
    desk.store.write = always(RuntimeError("bug"))

    desk.deliver(
        b'{"name":"no id","data":""}', "b", "c", headers=climbed("logs.retry.5s", "logs.retry.30s", "logs.retry.5m")
    )

    desk.wait_empty()
    assert {each.reason for each in desk.dead.kept} == {"could not be handled: RuntimeError"}
    assert len(desk.dead.kept[0].record_id) == 24
    assert not desk.tiers.kept


def test_one_entry_with_a_fault_of_its_own_is_found_and_the_others_are_stored_at_once(desk):
    write = desk.store.write

    def spoiled(entries):
        if any(entry.name == "b" for entry in entries):
            raise BadReplyError("log store could not handle the request")
        return write(entries)

    desk.store.write = spoiled

    desk.deliver("a", "b", "c")

    desk.wait_empty()
    assert list(desk.store.entries) == ["id-a", "id-c"]
    assert [each.record_id for each in desk.tiers.kept] == ["id-b"]


def test_when_looking_for_the_bad_entry_takes_too_long_the_untried_come_again_without_an_attempt(desk, monkeypatch):
    monkeypatch.setattr(verdict, "ISOLATING_SECONDS", -1)
    desk.store.write = always(RuntimeError("bug"))

    desk.deliver("a", "b", "c")

    desk.wait_empty()
    assert [(each.tier, each.reason) for each in desk.tiers.kept] == [("logs.retry.5s", "")] * 3


@pytest.mark.parametrize("failure", [UnavailableError("down"), DeadlineError("late"), TooManyError("full")])
def test_an_outage_longer_than_the_hold_parks_the_events_and_counts_no_attempt(failure):
    desk = Desk(hold=0.05)
    desk.store.failures = [failure] * 1_000_000

    desk.deliver("a", b'{"name":"no id","data":""}', "c", headers=climbed("logs.retry.5s"))

    desk.wait_empty()
    assert [(each.tier, each.reason) for each in desk.tiers.kept] == [("logs.retry.5m", "")] * 3
    assert len(desk.tiers.kept[1].record_id) == 24
    assert len(desk.store.calls) > 1
    assert not desk.dead.kept
    desk.intake.stop()


def test_during_an_outage_what_waited_behind_is_parked_without_another_call():
    now = [100.0]
    desk = Desk(hold=60, clock=lambda: now[0])
    tried: set[str] = set()

    def write(entries):
        tried.update(entry.name for entry in entries)
        raise UnavailableError("down")

    desk.store.write = write
    desk.deliver("a", "b", "c")
    desk.deliver("d", "e", "f", first=4)
    desk.deliver("g", "h", "i", first=7)
    desk.deliver("j", "k", "l", first=10)
    eventually(lambda: len(tried) == 3 * STORERS)
    assert not desk.tiers.kept
    now[0] += 61

    desk.wait_empty()
    assert len(desk.tiers.kept) == 12
    assert tried == {"a", "b", "c", "d", "e", "f"}
    desk.intake.stop()


def test_an_event_that_many_restarts_have_worn_is_parked_before_the_broker_gives_it_up(desk):
    desk.store.failures = [UnavailableError("down")]

    desk.deliver("a", "b", "c", headers={"x-delivery-count": 10})

    desk.wait_empty()
    assert [each.tier for each in desk.tiers.kept] == ["logs.retry.5m"] * 3


def test_nothing_is_acknowledged_before_the_retry_tier_has_it(desk):
    desk.store.write = always(RuntimeError("bug"))
    desk.tiers.failures = [UnavailableError("down")] * 1_000_000

    desk.deliver("a", "b", "c")

    eventually(lambda: desk.intake.outage() == "down")
    assert desk.settled() == []
    desk.tiers.failures = []
    desk.wait_empty()
    assert len(desk.tiers.kept) == 3


def test_a_batch_that_breaks_the_intake_itself_is_left_to_the_broker_and_never_forgotten(desk, monkeypatch):
    monkeypatch.setattr("worker.service.sort", lambda batch: batch / 0)

    desk.deliver("a", "b", "c")

    desk.wait_empty()
    assert desk.told == [Settlement(tag, refused=True) for tag in (1, 2, 3)]


def test_a_store_that_answers_for_too_few_entries_acknowledges_none_of_them(desk):
    desk.store.write = lambda _entries: [""]

    desk.deliver("a", "b", "c")

    desk.wait_empty()
    assert len(desk.tiers.kept) == 3


def test_a_tier_that_our_own_fault_keeps_closed_leaves_the_events_to_the_broker(desk):
    desk.store.write = always(RuntimeError("bug"))
    desk.tiers.failures = [RuntimeError("bug")] * 1_000_000

    desk.deliver("a", "b", "c")

    desk.wait_empty()
    assert desk.told == [Settlement(tag, refused=True) for tag in (1, 2, 3)]


def test_a_hung_thread_is_noticed_and_a_new_channel_gets_another_one():
    desk = Desk(size=1, stall=0.05)
    gate = threading.Event()
    write = desk.store.write
    desk.store.write = lambda entries: gate.wait(30) and write(entries)
    desk.deliver("a")
    assert not desk.intake.hung()
    eventually(desk.intake.hung)

    desk.store.write = write
    desk.intake.begin(desk.woken.set)
    desk.deliver("b")

    desk.wait_settled([Settlement(1, multiple=True)])
    assert not desk.intake.hung()
    gate.set()
    desk.intake.stop()


def test_waiting_for_a_store_that_is_away_is_not_hanging():
    desk = Desk(size=1, stall=0.1)
    desk.store.failures = [UnavailableError("down")] * 1_000_000
    begun = time.monotonic()
    desk.deliver("a")

    eventually(lambda: time.monotonic() - begun > 0.3)

    assert not desk.intake.hung()
    assert desk.intake.outage() == "down"
    desk.intake.stop()


def test_what_cannot_be_written_again_is_left_to_the_brokers_own_dead_lettering(desk):
    desk.dead.uncarriable = {"log.ODD"}

    desk.deliver("a", "b")
    desk.deliver(b"poison", first=3, key="log.ODD")

    eventually(lambda: desk.settled() and not desk.intake.in_hand())
    assert Settlement(3, refused=True) in desk.told
    assert not desk.dead.kept


def test_an_unreadable_message_is_refused_at_once(desk):
    desk.intake.refuse(1)

    assert desk.settled() == [Settlement(1, refused=True)]


def test_a_delivery_of_an_old_channel_is_never_settled_on_a_new_one():
    desk = Desk(size=1)
    gate, inside = threading.Event(), threading.Semaphore(0)
    write = desk.store.write

    def slow(entries):
        inside.release()
        assert gate.wait(10)
        return write(entries)

    desk.store.write = slow
    desk.deliver("a", "b", "waits-behind-them")
    for _ in range(STORERS):
        assert inside.acquire(timeout=10)

    desk.intake.begin(desk.woken.set)
    desk.deliver("c")
    gate.set()

    desk.wait_settled([Settlement(1, multiple=True)])
    assert set(desk.store.entries) == {"id-a", "id-b", "id-c"}
    assert desk.intake.in_hand() == 0
    desk.intake.stop()


def test_a_batch_of_a_lost_channel_is_not_tried_again():
    desk = Desk(size=1)
    desk.store.failures = [UnavailableError("down")] * 1_000_000
    desk.deliver("a")
    eventually(lambda: desk.store.calls)

    desk.intake.begin(desk.woken.set)
    desk.store.failures = []
    desk.deliver("b")

    desk.wait_settled([Settlement(1, multiple=True)])
    assert list(desk.store.entries) == ["id-b"]
    desk.intake.stop()


def test_stopping_finishes_what_is_in_hand(desk):
    desk.deliver("a", "b")

    desk.intake.end(5)

    assert desk.settled() == [Settlement(2, multiple=True)]
    assert desk.intake.in_hand() == 0


def test_stopping_with_the_store_down_returns_what_is_not_stored_without_waiting(desk):
    desk.store.failures = [UnavailableError("down")] * 1_000_000
    desk.deliver("a", "b", "c", "d")
    started = time.monotonic()

    desk.intake.end(60)

    assert time.monotonic() - started < 30
    assert desk.settled() == []
    assert desk.intake.in_hand() == 4
    assert len(desk.store.failures) > 900_000


def test_an_outage_that_the_last_channel_saw_is_not_told_of_the_next_one(desk):
    desk.dead.failures = [UnavailableError("down")] * 1_000_000
    desk.deliver(b"poison", "b", "c")
    eventually(lambda: desk.intake.outage() == "down")

    desk.intake.begin(desk.woken.set)

    eventually(lambda: not desk.intake.outage())


def test_one_batch_is_read_while_another_is_being_stored(desk):
    both = threading.Barrier(STORERS)

    def write(entries):
        both.wait(10)
        return [""] * len(entries)

    desk.store.write = write
    desk.deliver("a", "b", "c")
    desk.deliver("d", "e", "f", first=4)

    desk.wait_empty()
