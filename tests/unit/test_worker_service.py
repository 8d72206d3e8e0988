"""Nothing is settled before it is kept, and nothing that is kept stays unsettled."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from common.errors import BadReplyError, DeadlineError, InvalidError, TooManyError, UnavailableError
from tests.waiting import eventually
from worker import patience
from worker.batcher import BatchLimits
from worker.domain import Delivery, Settlement
from worker.memory import MemoryDeadLetters, MemoryLogStore
from worker.service import LogIntake


class Desk:
    """An intake with its neighbours, and everything that the broker was told."""

    def __init__(self, *, size: int = 3, prefetch: int = 100) -> None:
        self.store = MemoryLogStore()
        self.dead = MemoryDeadLetters()
        self.told: list[Settlement] = []
        self.woken = threading.Event()
        self.intake = LogIntake(self.store, self.dead, limits=BatchLimits(size=size, wait=0.01), prefetch=prefetch)
        self.intake.start()
        self.intake.begin(self.woken.set)

    def deliver(self, *names: str | bytes, first: int = 1, key: str = "log.INFO") -> None:
        for tag, name in enumerate(names, start=first):
            body = name if isinstance(name, bytes) else f'{{"id":"id-{name}","name":"{name}","data":""}}'.encode()
            self.intake.receive(Delivery(tag, body, key, {}, {}))

    def settled(self) -> list[Settlement]:
        self.told += self.intake.settlements()
        return self.told

    def wait_settled(self, expected: list[Settlement]) -> None:
        eventually(lambda: self.settled() == expected, seconds=5, every=0.005)


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
    assert 0 < desk.intake.due_in() <= 0.01

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

    eventually(lambda: len(desk.settled()) and not desk.intake.in_hand(), seconds=5)
    assert [(each.delivery.tag, each.reason) for each in desk.dead.kept] == [(2, "body is not valid JSON")]
    assert list(desk.store.entries) == ["id-a", "id-c"]
    assert not any(each.refused for each in desk.told)


def test_events_flow_on_while_the_dead_letters_cannot_be_reached(desk):
    desk.dead.failures = [UnavailableError("down")] * 1000

    desk.deliver(b"poison", "b", "c")
    desk.deliver("d", "e", "f", first=4)

    eventually(lambda: len(desk.settled()) == 5, seconds=5)
    assert desk.intake.in_hand() == 1
    desk.dead.failures.clear()
    eventually(lambda: desk.settled() and not desk.intake.in_hand(), seconds=5)
    assert len(desk.dead.kept) == 1


def test_an_entry_that_the_store_refuses_is_set_aside_with_the_stores_reason(desk):
    desk.store.refusals = {"b": "data: must not be longer than 1048576 bytes"}

    desk.deliver("a", "b", "c")

    eventually(lambda: desk.settled() and not desk.intake.in_hand(), seconds=5)
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

    eventually(lambda: desk.settled() and not desk.intake.in_hand(), seconds=5)
    assert list(desk.store.entries) == ["id-a", "id-c"]
    assert [each.reason for each in desk.dead.kept] == ["request is not a valid message"]


def test_a_fault_of_our_own_that_does_not_pass_costs_no_event(desk):
    desk.store.write = lambda entries: entries / 0

    desk.deliver("a", "b", "c")

    eventually(lambda: desk.settled() and not desk.intake.in_hand(), seconds=5)
    assert {each.reason for each in desk.dead.kept} == {"could not be handled: TypeError"}
    assert len(desk.dead.kept) == 3


def test_what_cannot_be_written_again_is_left_to_the_brokers_own_dead_lettering(desk):
    desk.dead.uncarriable = {"log.ODD"}

    desk.deliver("a", "b")
    desk.deliver(b"poison", first=3, key="log.ODD")

    eventually(lambda: desk.settled() and not desk.intake.in_hand(), seconds=5)
    assert Settlement(3, refused=True) in desk.told
    assert not desk.dead.kept


def test_an_unreadable_message_is_refused_at_once(desk):
    desk.intake.refuse(1)

    assert desk.settled() == [Settlement(1, refused=True)]


def test_a_delivery_of_an_old_channel_is_never_settled_on_a_new_one():
    desk = Desk(size=1)
    gate = threading.Event()
    write = desk.store.write
    desk.store.write = lambda entries: gate.wait(5) and write(entries)
    desk.deliver("a")

    desk.intake.begin(desk.woken.set)
    desk.deliver("b")
    gate.set()

    desk.wait_settled([Settlement(1, multiple=True)])
    assert list(desk.store.entries) == ["id-a", "id-b"]
    assert desk.intake.in_hand() == 0
    desk.intake.stop()


def test_a_batch_of_a_lost_channel_is_not_tried_again():
    desk = Desk(size=1)
    desk.store.failures = [UnavailableError("down")] * 1_000_000
    desk.deliver("a")
    eventually(lambda: desk.store.calls, seconds=5)

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

    desk.intake.end(5)

    assert desk.settled() == []
    assert desk.intake.in_hand() == 4
    assert len(desk.store.failures) > 900_000
