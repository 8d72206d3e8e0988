"""The keeper's rules: one chore at a time, none without the lease, none stopped by another's failure, and out of the way of writers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
import requests
from pymongo import MongoClient

from common.errors import UnavailableError
from logger.keeping.health import HealthServer, readiness
from logger.keeping.keeper import BUSY_PAUSE, BUSY_REST, LONGEST_REST_SECONDS, Chore, Keeper, Pace
from logger.mongo.lease import MongoLease
from tests.services import free_port
from tests.waiting import eventually


class Lease:
    def __init__(self, *, held: bool = True) -> None:
        self.is_held = held
        self.given_up = False

    def held(self) -> bool:
        return self.is_held

    def give_up(self) -> None:
        self.given_up = True


class Work:
    look = 0.01

    def __init__(self, name: str, do: Callable[[], bool] = lambda: False) -> None:
        self.name = name
        self.done = 0
        self._do = do

    def step(self) -> bool:
        self.done += 1
        return self._do()


def keeper(*chores: Chore, lease: Lease | None = None) -> Keeper:
    return Keeper(chores, lease=lease or Lease(), pace=Pace(lambda: 0))


def test_every_chore_is_asked_again_and_again_until_the_stop():
    works = [Work("one"), Work("two")]
    running = keeper(*works)

    running.start()
    eventually(lambda: all(work.done >= 3 for work in works))
    running.stop()

    done = [work.done for work in works]
    assert not [thread for thread in threading.enumerate() if thread.name in {"one", "two"}]
    assert done == [work.done for work in works]


def test_two_chores_never_work_at_the_same_time():
    at_work = threading.Lock()
    met = []

    def do() -> bool:
        if not at_work.acquire(blocking=False):
            met.append(True)
        else:
            threading.Event().wait(0.002)
            at_work.release()
        return False

    works = [Work("one", do), Work("two", do), Work("three", do)]
    running = keeper(*works)

    running.start()
    eventually(lambda: all(work.done >= 5 for work in works))
    running.stop()

    assert not met


def test_nothing_is_done_without_the_lease_and_it_is_given_up_at_the_stop():
    lease, asked = Lease(held=False), Work("one")
    running = keeper(asked, lease=lease)

    running.start()
    threading.Event().wait(0.1)
    assert asked.done == 0
    lease.is_held = True
    eventually(lambda: asked.done)
    running.stop()

    assert lease.given_up


def test_a_chore_that_fails_keeps_no_other_from_its_work():
    def fail() -> bool:
        raise UnavailableError("the database is away")

    failing, working = Work("failing", fail), Work("working")
    running = keeper(failing, working)

    running.start()
    eventually(lambda: failing.done and working.done >= 5)
    running.stop()


def test_a_chore_that_always_has_more_lets_the_others_have_their_turn():
    def always_more() -> bool:
        threading.Event().wait(0.02)
        return True

    greedy, modest = Work("greedy", always_more), Work("modest")
    running = keeper(greedy, modest)

    running.start()
    eventually(lambda: greedy.done >= 50)
    running.stop()

    # it asks for a turn 10 ms after each, and waits for one step of 20 ms at most
    assert modest.done >= 30


def test_the_keeper_rests_while_entries_come_in_fast_and_only_then():
    moments = iter([0.0, 2.0, 4.0, 4.1, 4.2, 6.0])
    counts = iter([0, 10, 10_000, 10_010])
    pace = Pace(lambda: next(counts), clock=lambda: next(moments))

    assert [pace.rest(0.1, 0.2) for _ in range(3)] == [0.0, 0.0, 0.1 * BUSY_REST]
    assert pace.rest(0.01, 0.5) == 0.5 * BUSY_PAUSE
    assert pace.rest(0.1, 100.0) == LONGEST_REST_SECONDS
    assert pace.rest(0.1, 0.2) == 0.0


def test_readiness_names_the_work_and_what_is_down_without_a_drivers_text():
    def down() -> None:
        raise ConnectionError("10.0.0.1 refused")

    status, body = readiness({"mongo": down}, {"blocks": lambda: {"caught_up": True}})

    assert (status, body["status"], body["work"]) == (503, "unready", {"blocks": {"caught_up": True}})
    assert body["checks"]["mongo"]["error"] == "ConnectionError"
    assert readiness({"mongo": lambda: None}, {})[1]["degraded"] is False


def test_the_probes_answer_over_http():
    port = free_port()
    server = HealthServer("127.0.0.1", port, {"mongo": lambda: None}, {"blocks": lambda: {"caught_up": True}})
    server.start()
    try:
        ready = requests.get(f"http://127.0.0.1:{port}/readyz?x=1", timeout=5)
        assert (ready.status_code, ready.json()["service"]) == (200, "keeper")
        assert requests.get(f"http://127.0.0.1:{port}/ping", timeout=5).text == "OK"
        assert requests.get(f"http://127.0.0.1:{port}/livez", timeout=5).json()["status"] == "alive"
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 404
    finally:
        server.stop()


def test_a_database_that_is_away_is_no_reason_for_a_traceback_when_the_lease_is_asked_for_or_given_up(caplog):
    client: MongoClient = MongoClient(f"mongodb://127.0.0.1:{free_port()}", serverSelectionTimeoutMS=50)
    lease = MongoLease(client["logs"])

    with caplog.at_level(logging.INFO, "logger.mongo.lease"), client:
        with pytest.raises(UnavailableError):
            lease.held()
        lease.give_up()

    told = [(record.message, record.exc_info) for record in caplog.records]
    assert told == [("lease_not_given_up", None)]
