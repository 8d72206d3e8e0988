from __future__ import annotations

import threading

import pytest

from common import outbox
from common.errors import UnavailableError
from common.outbox import LONGEST_PAUSE_SECONDS, OutboxRelay, Relayed, pause
from tests.waiting import eventually


class ScriptedRelay(OutboxRelay):
    """A relay whose batches end as told; after the last one there is nothing to relay."""

    def __init__(self, *outcomes) -> None:
        super().__init__(None, None)
        self.outcomes = list(outcomes)
        self.batches = 0
        self.asked = threading.Event()

    def relay_batch(self):
        self.batches += 1
        self.asked.set()
        outcome = self.outcomes.pop(0) if self.outcomes else Relayed(0, 0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def run():
    relays = []

    def start(relay):
        relays.append(relay)
        relay.start()
        return relay

    yield start
    for relay in relays:
        relay.stop()


def test_pauses_double_up_to_a_cap_and_never_march_in_step():
    longest = [max(pause(failures) for _ in range(200)) for failures in (1, 2, 3, 50)]

    assert longest[0] <= 0.5 < longest[1] <= 1.0 < longest[2] <= 2.0 < longest[3] <= LONGEST_PAUSE_SECONDS
    assert min(pause(50) for _ in range(200)) >= LONGEST_PAUSE_SECONDS / 2
    assert len({pause(3) for _ in range(10)}) > 1


@pytest.mark.parametrize("failure", [UnavailableError("away"), RuntimeError("a driver's own"), Relayed(0, 5)])
def test_the_relay_outlives_every_failure_and_says_once_that_events_are_late(run, monkeypatch, caplog, failure):
    caplog.set_level("INFO", "common.outbox")
    monkeypatch.setattr(outbox, "pause", lambda _failures: 0.001)
    relay = ScriptedRelay(failure, failure, failure, Relayed(3, 0))

    run(relay)

    eventually(lambda: [record.message for record in caplog.records] == ["outbox_delayed", "outbox_resumed"])
    assert relay.batches >= 4


def test_full_batches_follow_each_other_without_a_wait(run, monkeypatch):
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 60)
    relay = ScriptedRelay(*[Relayed(outbox.BATCH, 0)] * 3)

    run(relay)

    eventually(lambda: relay.batches == 4)


def test_a_commit_wakes_the_relay_at_once(run, monkeypatch):
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 60)
    relay = run(ScriptedRelay())
    assert relay.asked.wait(5)
    relay.asked.clear()

    relay.notify()

    assert relay.asked.wait(5)


def test_messages_of_other_processes_are_looked_for_without_being_told(run, monkeypatch):
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 0.01)

    relay = run(ScriptedRelay())

    eventually(lambda: relay.batches > 3)


def test_commits_do_not_shorten_the_pause_after_a_failure(run, monkeypatch):
    monkeypatch.setattr(outbox, "pause", lambda _failures: 60)
    relay = run(ScriptedRelay(UnavailableError("away")))
    eventually(lambda: relay._failures == 1)

    for _ in range(20):
        relay.notify()

    relay.stop()
    assert relay.batches == 1


def test_a_stop_ends_even_a_long_pause(run, monkeypatch):
    monkeypatch.setattr(outbox, "pause", lambda _failures: 60)
    relay = run(ScriptedRelay(UnavailableError("away")))
    eventually(lambda: relay._failures == 1)

    relay.stop()

    assert not relay._thread.is_alive()
