from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from common.combining import ITEM_OVERHEAD, Limits
from common.errors import DeadlineError, TooManyError, UnavailableError
from logger.domain import Draft, LogEntry, accept, arrival
from logger.memory.store import MemoryLogStore
from logger.writer import LogWriter
from tests.waiting import eventually


def entry(record_id: str = "") -> LogEntry:
    return accept(Draft("event", "text", id=record_id), arrival("http", datetime.now(UTC)))


class GatedStore(MemoryLogStore):
    """Holds every insert until the gate opens, and remembers the size of each."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.sizes: list[int] = []
        self.failure: Exception | None = None

    def insert(self, entries):
        self.entered.set()
        assert self.gate.wait(10)
        self.sizes.append(len(entries))
        if self.failure:
            raise self.failure
        return super().insert(entries)


@pytest.fixture
def store():
    return GatedStore()


@pytest.fixture
def make_writer(store):
    writers = []

    def make(**options) -> LogWriter:
        writer = LogWriter(store, Limits(**{"lanes": 1, "timeout": 5.0, **options}))
        writer.start()
        writers.append(writer)
        return writer

    yield make
    store.gate.set()
    for writer in writers:
        writer.stop()


def test_writes_that_arrive_during_an_insert_are_stored_together(store, make_writer):
    writer = make_writer()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(writer.write, [entry()])
        assert store.entered.wait(5)
        others = [pool.submit(writer.write, [entry()]) for _ in range(19)]
        eventually(lambda: writer.pending == 20)
        store.gate.set()
        answers = [future.result(5) for future in [first, *others]]

    assert answers == [[True]] * 20
    assert store.sizes == [1, 19]


def test_nobody_is_answered_before_the_store_has_answered(store, make_writer):
    writer = make_writer()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(writer.write, [entry()])
        assert store.entered.wait(5)
        assert not answer.done()
        store.gate.set()
        assert answer.result(5) == [True]


def test_the_same_id_is_stored_once_and_told_apart(store, make_writer):
    store.gate.set()
    writer = make_writer()

    assert writer.write([entry("order-1"), entry("order-2")]) == [True, True]
    assert writer.write([entry("order-2"), entry("order-3")]) == [False, True]
    assert len(store) == 3


def test_a_failing_store_fails_every_caller_of_the_batch_and_not_the_next_one(store, make_writer):
    store.gate.set()
    store.failure = UnavailableError("away")
    writer = make_writer()
    with pytest.raises(UnavailableError):
        writer.write([entry()])

    store.failure = None

    assert writer.write([entry()]) == [True]


def test_a_bug_in_the_store_is_told_as_unavailable_without_its_text(store, make_writer):
    store.gate.set()
    store.failure = RuntimeError("secret detail")
    writer = make_writer()

    with pytest.raises(UnavailableError) as failure:
        writer.write([entry()])

    assert "secret" not in failure.value.message


def test_a_full_queue_refuses_instead_of_growing(store, make_writer):
    writer = make_writer(max_pending_bytes=3 * (ITEM_OVERHEAD + 4))
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(writer.write, [entry(), entry(), entry()])
        assert store.entered.wait(5)
        with pytest.raises(TooManyError):
            writer.write([entry()])
        store.gate.set()
        assert taken.result(5) == [True] * 3

    assert writer.write([entry()]) == [True]


def test_a_slow_store_ends_the_wait_with_a_deadline(store, make_writer):
    writer = make_writer(timeout=0.05)

    with pytest.raises(DeadlineError):
        writer.write([entry()])


def test_stopping_writes_what_was_taken_and_refuses_the_rest(store, make_writer):
    writer = make_writer()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(writer.write, [entry()])
        assert store.entered.wait(5)
        store.gate.set()
        writer.stop()
        assert taken.result(5) == [True]

    with pytest.raises(UnavailableError):
        writer.write([entry()])
    assert len(store) == 1
