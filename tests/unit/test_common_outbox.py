"""What one round of the relay tells the thread that runs it; the thread itself is held by test_common_background.py."""

from __future__ import annotations

import pytest

from common import outbox
from common.background import Rhythm
from common.errors import UnavailableError
from common.outbox import OutboxRelay, Relayed
from tests.waiting import eventually

BRISK = Rhythm(look=60, longest_pause=0.002, first_pause=0.001)


class ScriptedRelay(OutboxRelay):
    """A relay whose batches end as told; after the last one there is nothing to relay."""

    def __init__(self, *outcomes) -> None:
        super().__init__(None, None, rhythm=BRISK)
        self.outcomes = list(outcomes)
        self.batches = 0

    def relay_batch(self):
        self.batches += 1
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


@pytest.mark.parametrize("failure", [UnavailableError("away"), RuntimeError("a driver's own"), Relayed(0, 5)])
def test_the_relay_outlives_every_failure_and_says_once_that_events_are_late(run, caplog, failure):
    caplog.set_level("INFO", "common.background")
    relay = ScriptedRelay(failure, failure, failure, Relayed(3, 0))

    run(relay)

    eventually(lambda: [record.message for record in caplog.records] == ["work_delayed", "work_resumed"])
    assert relay.batches >= 4
    assert {record.work for record in caplog.records} == {"outbox-relay"}


def test_full_batches_follow_each_other_without_a_wait(run):
    relay = ScriptedRelay(*[Relayed(outbox.BATCH, 0)] * 3)

    run(relay)

    eventually(lambda: relay.batches == 4)


def test_a_batch_of_which_something_was_taken_is_no_failure(run, caplog):
    relay = run(ScriptedRelay(Relayed(1, 5)))

    eventually(lambda: relay.batches == 1)
    relay.notify()
    eventually(lambda: relay.batches == 2)
    assert caplog.records == []


def test_a_commit_wakes_the_relay_at_once(run):
    relay = run(ScriptedRelay())
    eventually(lambda: relay.batches == 1)

    relay.notify()

    eventually(lambda: relay.batches == 2)
