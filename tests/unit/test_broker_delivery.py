"""Which way an entry takes, what each way's failure leads to, and how long anybody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from broker import guarded_door
from broker.clients.entry_json import to_record
from broker.clients.local_spool import LocalSpool
from broker.delivery import FallbackDelivery
from broker.domain import SPOOL, LogOrder, Receipt, Result, Via
from broker.guarded_door import GuardedDoor
from common.combining import Limits
from common.errors import (
    AppError,
    BadReplyError,
    DeadlineError,
    InvalidError,
    TooManyError,
    UnavailableError,
)
from common.spool.spool import Spool
from tests.waiting import eventually

PATIENCE = 0.3
REST = 0.3
RECEIPTS = {
    Via.RPC: Receipt("stored", "Processed payload via RPC:n", Via.RPC),
    Via.AMQP: Receipt("queued", "logged via RabbitMQ", Via.AMQP),
    SPOOL: Receipt("spooled", "spooled: neither the log store nor the message queue can be reached", SPOOL),
}


def order(name: str = "n") -> LogOrder:
    return LogOrder(f"id-{name}", name, "data", "INFO", "test", "2026-01-02T03:04:05Z", "r-1", "a" * 32)


class Door:
    """Fails as told, for all or for the entries of some names, and remembers its calls."""

    def __init__(self, via: str) -> None:
        self.receipt = RECEIPTS[via]
        self.failure: AppError | None = None
        self.failing: dict[str, AppError] = {}
        self.calls: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()

    def write_many(self, orders: Sequence[LogOrder]) -> list[Result]:
        self.calls.append([each.name for each in orders])
        assert self.open.wait(10)
        if self.failure:
            raise self.failure
        return [self.failing.get(each.name, self.receipt) for each in orders]

    write = write_many


@pytest.fixture
def rpc():
    return Door(Via.RPC)


@pytest.fixture
def queue():
    return Door(Via.AMQP)


@pytest.fixture
def spool():
    return Door(SPOOL)


@pytest.fixture
def delivery(rpc, queue, spool):
    return FallbackDelivery({Via.RPC: [rpc, queue, spool], Via.AMQP: [queue, rpc, spool]})


# --- the chain ------------------------------------------------------------------------------------------------------


def test_when_all_is_well_nobody_else_is_asked(delivery, rpc, queue, spool):
    assert delivery.deliver([order()], Via.RPC) == [rpc.receipt]
    assert delivery.deliver([order()], Via.AMQP) == [queue.receipt]
    assert spool.calls == []


@pytest.mark.parametrize("kind", [UnavailableError, DeadlineError, BadReplyError])
def test_an_entry_that_the_store_does_not_take_goes_to_the_queue_and_says_so(delivery, rpc, queue, kind):
    rpc.failure = kind("logger cannot be reached")

    (receipt,) = delivery.deliver([order()], Via.RPC)

    assert receipt == Receipt("queued", "queued: the log store cannot be reached", Via.AMQP)
    assert queue.calls == [["n"]]


def test_an_entry_for_the_queue_goes_to_the_store_when_there_is_no_queue(delivery, rpc, queue):
    queue.failure = UnavailableError("no queue")

    assert delivery.deliver([order()], Via.AMQP) == [rpc.receipt]


@pytest.mark.parametrize("via", [Via.RPC, Via.AMQP])
def test_when_both_are_away_the_entry_is_spooled(delivery, rpc, queue, spool, via):
    rpc.failure, queue.failure = UnavailableError("no store"), DeadlineError("no answer")

    assert delivery.deliver([order()], via) == [spool.receipt]


def test_each_entry_takes_the_first_way_that_takes_it(delivery, rpc, queue, spool):
    rpc.failing = {name: UnavailableError("lost") for name in ("b", "c")} | {"d": InvalidError("never")}
    queue.failing = {"c": UnavailableError("returned")}

    results = delivery.deliver([order(name) for name in "abcd"], Via.RPC)

    assert [result.via if isinstance(result, Receipt) else result.message for result in results] == [
        Via.RPC,
        Via.AMQP,
        SPOOL,
        "never",
    ]
    assert (queue.calls, spool.calls) == ([["b", "c"]], [["c"]])


def test_a_store_without_room_pushes_back_instead_of_filling_the_queue(delivery, rpc, queue):
    rpc.failure = TooManyError("no room", retry_after=3)
    with pytest.raises(TooManyError) as refused:
        delivery.deliver([order()], Via.RPC)
    rpc.failure, rpc.failing = None, {"n": TooManyError("no room")}
    with pytest.raises(TooManyError):
        delivery.deliver([order()], Via.RPC)

    assert refused.value.retry_after == 3
    assert queue.calls == []


def test_of_entries_that_were_taken_in_part_the_rest_goes_on_and_none_is_sent_back(delivery, rpc, queue):
    rpc.failing = {"b": TooManyError("no room")}

    results = delivery.deliver([order("a"), order("b")], Via.RPC)

    assert [result.fate for result in results] == ["stored", "queued"]


def test_a_queue_without_room_leads_on_to_the_spool(delivery, rpc, queue, spool):
    rpc.failure, queue.failure = UnavailableError("away"), TooManyError("full")

    assert delivery.deliver([order()], Via.RPC) == [spool.receipt]


def test_when_nothing_takes_it_the_writer_is_told_to_come_back(delivery, rpc, queue, spool):
    rpc.failure, queue.failure = UnavailableError("away"), UnavailableError("away")
    spool.failure = TooManyError("the spool is full")

    with pytest.raises(UnavailableError) as refused:
        delivery.deliver([order()], Via.RPC)

    assert refused.value.message.endswith("and the spool is full")
    assert refused.value.retry_after == 5


def test_what_was_not_taken_beside_others_that_were_is_told_apart(delivery, rpc, queue, spool):
    rpc.failing = {"b": UnavailableError("lost")}
    queue.failure = spool.failure = UnavailableError("the disk fails")

    taken, left = delivery.deliver([order("a"), order("b")], Via.RPC)

    assert taken == rpc.receipt
    assert isinstance(left, InvalidError)
    assert left.message.startswith("not taken: ")


# --- one door -------------------------------------------------------------------------------------------------------


@pytest.fixture
def door(rpc, monkeypatch) -> Iterator[GuardedDoor]:
    monkeypatch.setattr(guarded_door, "FIRST_REST_SECONDS", REST)
    door = GuardedDoor(Via.RPC, rpc, patience=PATIENCE, limits=Limits(lanes=1, timeout=10.0))
    door.start()
    yield door
    rpc.open.set()
    door.stop()


def outcome(door: GuardedDoor, name: str = "n") -> tuple[object, float]:
    """What a request got, and after how many seconds."""
    started = time.monotonic()
    try:
        (result,) = door.write([order(name)])
    except AppError as error:
        result = type(error)
    return result, time.monotonic() - started


def test_requests_that_come_together_share_a_call(door, rpc):
    rpc.open.clear()
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(outcome, door)
        eventually(lambda: rpc.calls)
        others = [pool.submit(outcome, door) for _ in range(20)]
        eventually(lambda: door._combiner.pending == 21)
        rpc.open.set()
        assert {each.result()[0] for each in [first, *others]} == {rpc.receipt}

    assert [len(call) for call in rpc.calls] == [1, 20]


def test_a_silent_door_costs_each_request_its_patience_once_and_later_ones_nothing(door, rpc, monkeypatch):
    monkeypatch.setattr(guarded_door, "FIRST_REST_SECONDS", 60)
    rpc.open.clear()
    with ThreadPoolExecutor(10) as pool:
        waited = [each.result() for each in [pool.submit(outcome, door) for _ in range(10)]]

    assert {result for result, _ in waited} <= {DeadlineError, UnavailableError}
    assert max(seconds for _, seconds in waited) < 10 * PATIENCE
    calls = len(rpc.calls)
    assert outcome(door)[0] is UnavailableError
    assert len(rpc.calls) == calls


def test_after_its_rest_one_request_at_a_time_tries_the_door(door, rpc):
    rpc.open.clear()
    outcome(door, "first")
    eventually(lambda: not door._rest.resting)

    with ThreadPoolExecutor(10) as pool:
        results = [each.result()[0] for each in [pool.submit(outcome, door) for _ in range(10)]]

    assert sorted(each.__name__ for each in results) == ["DeadlineError", *["UnavailableError"] * 9]


def test_requests_that_wait_behind_a_call_that_fails_move_on_with_it(door, rpc):
    rpc.failure = UnavailableError("hung up")
    rpc.open.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(outcome, door)
        eventually(lambda: rpc.calls)
        others = [pool.submit(outcome, door) for _ in range(4)]
        eventually(lambda: door._combiner.pending == 5)
        rpc.open.set()
        assert {each.result()[0] for each in [first, *others]} == {UnavailableError}

    assert len(rpc.calls) == 1


def test_a_door_that_answers_again_is_open_at_once(door, rpc):
    rpc.failure = UnavailableError("away")
    outcome(door)
    rpc.failure = None

    eventually(lambda: outcome(door)[0] == rpc.receipt, seconds=5)

    assert [outcome(door)[0] for _ in range(3)] == [rpc.receipt] * 3


def test_entries_that_fail_alone_close_the_door_for_nobody(door, rpc):
    rpc.failing = {"strange": BadReplyError("the far side failed")}

    assert isinstance(outcome(door, "strange")[0], BadReplyError)
    assert outcome(door)[0] == rpc.receipt


def test_rests_grow_up_to_a_limit_when_they_cost_time_and_stay_short_when_not(monkeypatch):
    now = 100.0
    monkeypatch.setattr(guarded_door.time, "monotonic", lambda: now)

    def rests(*, slow: bool) -> list[float]:
        nonlocal now
        rest, found = guarded_door.Rest("rpc"), []
        for _ in range(5):
            rest.begin(slow=slow)
            rest.begin(slow=slow)
            found.append(rest._until - now)
            now = rest._until
        return found

    assert rests(slow=True) == [1, 2, 4, 5, 5]
    assert rests(slow=False) == [1, 1, 1, 1, 1]


# --- the spool ------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path) -> Spool:
    return Spool(tmp_path, max_bytes=100_000)


def test_a_spooled_entry_is_replayed_whole_through_the_first_door_that_takes_it(kept, queue, rpc):
    orders: list[LogOrder] = []
    queue.failure = rpc.failure = UnavailableError("away")
    local = LocalSpool(kept, [queue, rpc])
    local.start()
    entry = order()
    entry.fields = {"a": [1, {"b": None}]}
    assert local.write([entry]) == [RECEIPTS[SPOOL]]
    eventually(lambda: rpc.calls)

    def take(several: Sequence[LogOrder]) -> list[Result]:
        orders.extend(several)
        return [rpc.receipt] * len(several)

    rpc.write_many = take

    eventually(lambda: kept.backlog.records == 0)
    local.stop()
    assert orders == [entry]


def test_replay_takes_the_next_door_for_what_the_first_did_not_take_and_says_what_is_refused(kept, queue, rpc):
    queue.failing = {"b": UnavailableError("returned"), "c": InvalidError("never")}
    records = [to_record(order(name)) for name in "abc"]

    reasons = LocalSpool(kept, [queue, rpc]).deliver([*records, b"{", orjson.dumps({"other": 1})])

    assert reasons == [None, None, "never", "not a log entry", "not a log entry"]
    assert rpc.calls == [["b"]]


def test_what_no_door_takes_now_comes_again(kept, queue, rpc):
    queue.failure = UnavailableError("away")
    rpc.failing = {"b": TooManyError("no room")}

    with pytest.raises(TooManyError):
        LocalSpool(kept, [queue, rpc]).deliver([to_record(order(name)) for name in "ab"])
