"""The listener as a step of Celery's consumer: what it tells the broker, and what it never lets out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import amqp
import pytest
from amqp.exceptions import PreconditionFailed, RecoverableConnectionError

from protos.topics import LOGS, LOGS_QUEUE
from tests.waiting import eventually
from worker.batcher import BatchLimits
from worker.listener import BEAT_SECONDS, RESTART_SECONDS, WATCH_SECONDS, Listening, LogListener, listener_step
from worker.memory import MemoryDeadLetters, MemoryLogStore, MemoryRetryTiers
from worker.pulse import Pulse
from worker.service import LogIntake
from worker.window import Window


class Channel:
    """A broker's channel that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple] = []
        self.auto_decode = True
        self.ready = 0
        self.fails: Exception | None = None
        self.consumer: dict = {}

    def dispatch_method(self, *_: object) -> None:
        """Guarded by the step."""

    def exchange_declare(self, *_: object, **__: object) -> None:
        if self.fails:
            raise self.fails

    def queue_bind(self, *_: object) -> None:
        """Every binding is welcome."""

    def queue_declare(self, _name: str, **_: object) -> SimpleNamespace:
        if self.fails:
            raise self.fails
        return SimpleNamespace(message_count=self.ready)

    def basic_qos(self, *arguments: object) -> None:
        self.told.append(("qos", *arguments))

    def basic_consume(self, queue: str, **consumer: object) -> str:
        self.told.append(("consume", queue, consumer["no_ack"]))
        self.consumer = consumer
        return "tag"

    def basic_cancel(self, tag: str) -> None:
        self.told.append(("cancel", tag))

    def basic_ack(self, tag: int, *, multiple: bool) -> None:
        if self.fails:
            raise self.fails
        self.told.append(("ack", tag, multiple))

    def basic_reject(self, tag: int, *, requeue: bool) -> None:
        if self.fails:
            raise self.fails
        self.told.append(("reject", tag, requeue))

    def close(self) -> None:
        self.told.append(("close",))

    def deliver(self, tag: int, body: bytes = b'{"name":"event","data":""}') -> None:
        message = amqp.Message(body)
        message.delivery_info = {"delivery_tag": tag, "routing_key": "log.INFO"}
        self.consumer["callback"](message)


class Hub:
    """Runs what is asked of it when the test says so."""

    def __init__(self) -> None:
        self.soon: list = []
        self.repeated: dict[float, tuple] = {}
        self.later: dict[float, tuple] = {}

    def call_soon(self, callback) -> None:
        self.soon.append(callback)

    def call_repeatedly(self, seconds, callback, *arguments) -> SimpleNamespace:
        self.repeated[seconds] = (callback, *arguments)
        return SimpleNamespace(cancel=lambda: self.repeated.pop(seconds, None))

    def call_later(self, seconds, callback, *arguments) -> SimpleNamespace:
        self.later[seconds] = (callback, *arguments)
        return SimpleNamespace(cancel=lambda: self.later.pop(seconds, None))

    def tick(self, seconds: float) -> None:
        callback, *arguments = self.repeated[seconds]
        callback(*arguments)

    def run_soon(self) -> None:
        while self.soon:
            self.soon.pop(0)()


class Bench:
    """A started step between a store and a channel."""

    def __init__(self) -> None:
        self.store = MemoryLogStore()
        self.pulse = Pulse()
        self.intake = LogIntake(
            self.store,
            MemoryDeadLetters(),
            MemoryRetryTiers(),
            limits=BatchLimits(size=1, wait=1),
            window=Window(limit=7, budget=64 * 1024 * 1024),
            stall=0.2,
        )
        self.intake.start()
        self.channel = Channel()
        self.hub = Hub()
        self.consumer = SimpleNamespace(
            hub=self.hub,
            pool=None,
            connection=SimpleNamespace(channel=lambda: self.channel),
            connection_errors=(OSError, amqp.ConnectionError),
        )
        parts = Listening(self.intake, self.pulse, queue=LOGS_QUEUE, topology=LOGS, grace=5)
        self.step: LogListener = listener_step(parts)(self.consumer)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.intake.stop()


def test_it_consumes_with_acknowledgements_and_a_limit_of_its_own(bench):
    bench.step.start(bench.consumer)

    assert bench.channel.told == [("qos", 0, 7, False), ("consume", "logs.store", False)]
    assert bench.channel.auto_decode is False
    bench.pulse.check()


def test_an_event_is_acknowledged_from_the_loop_after_the_store_has_answered(bench):
    bench.step.start(bench.consumer)

    bench.channel.deliver(1)
    eventually(lambda: bench.hub.soon)
    assert len(bench.store.entries) == 1
    assert ("ack", 1, True) not in bench.channel.told
    bench.hub.run_soon()

    assert bench.channel.told[-1] == ("ack", 1, True)


def test_a_failing_acknowledgement_becomes_a_reconnection_at_the_next_beat(bench):
    bench.step.start(bench.consumer)
    bench.channel.deliver(1)
    eventually(lambda: bench.hub.soon)
    bench.channel.fails = RecoverableConnectionError("closed")

    bench.hub.run_soon()

    with pytest.raises(RecoverableConnectionError):
        bench.hub.tick(BEAT_SECONDS)


def test_a_subscription_that_the_broker_ends_becomes_a_reconnection(bench):
    bench.step.start(bench.consumer)

    bench.channel.consumer["on_cancel"]("tag")

    with pytest.raises(RecoverableConnectionError):
        bench.hub.tick(BEAT_SECONDS)


def test_a_delivery_that_breaks_the_intake_does_not_reach_the_loop(bench, monkeypatch):
    bench.step.start(bench.consumer)
    monkeypatch.setattr(bench.intake, "receive", lambda delivery: delivery / 0)

    bench.channel.deliver(1)

    bench.hub.tick(BEAT_SECONDS)
    assert bench.channel.told[-1] == ("reject", 1, False)


def test_a_silent_consumer_with_messages_waiting_is_renewed(bench):
    bench.step.start(bench.consumer)
    bench.channel.ready = 5

    bench.hub.tick(WATCH_SECONDS)

    with pytest.raises(RecoverableConnectionError, match="silent"):
        bench.hub.tick(WATCH_SECONDS)


def test_a_thread_that_hangs_in_a_call_is_noticed_although_events_are_in_hand(bench):
    gate = threading.Event()
    write = bench.store.write
    bench.store.write = lambda entries: gate.wait(30) and write(entries)
    bench.step.start(bench.consumer)
    bench.channel.deliver(1)
    bench.hub.tick(WATCH_SECONDS)
    eventually(bench.intake.hung)

    with pytest.raises(RecoverableConnectionError, match="stuck"):
        bench.hub.tick(WATCH_SECONDS)

    bench.store.write = write
    bench.consumer.connection = None
    bench.step.stop(bench.consumer)
    bench.consumer.connection = SimpleNamespace(channel=lambda: bench.channel)
    bench.step.start(bench.consumer)
    bench.channel.deliver(1)
    eventually(lambda: bench.store.entries)
    gate.set()


def test_an_acknowledgement_that_nobody_woke_the_loop_for_is_sent_at_the_next_beat(bench):
    bench.step.start(bench.consumer)
    bench.channel.deliver(1)
    eventually(lambda: bench.hub.soon)
    bench.hub.soon.clear()

    bench.hub.tick(BEAT_SECONDS)

    assert ("ack", 1, True) in bench.channel.told


def test_messages_that_turn_out_small_open_the_window_with_a_new_consumer(bench):
    bench.intake.window = Window(limit=100, budget=20 * 1024 * 1024)
    first = bench.intake.window.size
    bench.step.start(bench.consumer)

    for tag in range(1, first + 1):
        bench.channel.deliver(tag)
    bench.hub.run_soon()

    assert [each for each in bench.channel.told if each[0] in ("qos", "cancel")] == [
        ("qos", 0, first, False),
        ("cancel", "tag"),
        ("qos", 0, 100, False),
    ]


def test_messages_that_there_is_no_room_for_are_returned_after_the_consumer_and_taken_again_when_there_is(bench):
    gate = threading.Event()
    write = bench.store.write
    bench.store.write = lambda entries: gate.wait(30) and write(entries)
    bench.intake.window = Window(limit=100, budget=1024 * 1024)
    bench.step.start(bench.consumer)
    large = b'{"name":"event","data":"%s"}' % (b"d" * 700_000)

    for tag in (1, 2, 3):
        bench.channel.deliver(tag, large)
    assert not [each for each in bench.channel.told if each[0] == "reject"]
    bench.hub.run_soon()

    assert bench.channel.told[2:] == [("cancel", "tag"), ("reject", 2, True), ("reject", 3, True)]
    assert bench.intake.in_hand() == 1
    gate.set()
    eventually(lambda: bench.hub.soon)
    bench.hub.run_soon()
    assert bench.channel.told[5:] == [("ack", 1, True), ("qos", 0, 1, False), ("consume", "logs.store", False)]


def test_what_there_was_no_room_for_is_never_covered_by_the_acknowledgement_of_others(bench):
    bench.intake.window = Window(limit=100, budget=1024 * 1024)
    bench.step.start(bench.consumer)
    large = b'{"name":"event","data":"%s"}' % (b"d" * 1_000_000)
    bench.channel.deliver(1, large)
    bench.channel.deliver(2, large)
    bench.channel.deliver(3)
    eventually(lambda: len(bench.store.entries) == 2)

    bench.step._settle()
    eventually(lambda: bench.hub.soon)
    bench.hub.run_soon()
    bench.step._settle()

    acks = [each for each in bench.channel.told if each[0] in ("ack", "reject")]
    assert sorted(acks[:-1]) == [("ack", 1, True), ("ack", 3, False)]
    assert acks[-1] == ("reject", 2, True)
    assert bench.intake.in_hand() == 0


def test_a_connection_that_breaks_while_the_window_changes_becomes_a_reconnection(bench):
    bench.intake.window = Window(limit=100, budget=20)
    bench.step.start(bench.consumer)
    bench.channel.deliver(1, b"x" * 100)
    bench.channel.deliver(2, b"x" * 100)
    bench.channel.fails = RecoverableConnectionError("closed")
    bench.hub.run_soon()

    with pytest.raises(RecoverableConnectionError):
        bench.hub.tick(BEAT_SECONDS)


def test_an_idle_consumer_is_left_alone(bench):
    bench.step.start(bench.consumer)

    for _ in range(3):
        bench.hub.tick(WATCH_SECONDS)


def test_a_busy_consumer_is_left_alone(bench):
    bench.step.start(bench.consumer)
    bench.channel.ready = 5

    for tag in (1, 2, 3):
        bench.hub.tick(WATCH_SECONDS)
        bench.channel.deliver(tag)


def test_a_queue_that_is_gone_is_declared_again_by_a_reconnection(bench):
    bench.step.start(bench.consumer)
    bench.hub.tick(WATCH_SECONDS)
    bench.channel.fails = amqp.NotFound("no queue")

    with pytest.raises(RecoverableConnectionError, match="queue_not_found"):
        bench.hub.tick(WATCH_SECONDS)


def test_a_start_that_fails_on_a_healthy_connection_is_tried_again_later(bench):
    bench.channel.fails = PreconditionFailed("inequivalent arg")
    bench.step.start(bench.consumer)
    with pytest.raises(Exception, match="not consuming"):
        bench.pulse.check()
    assert bench.channel.told == [("close",)]
    bench.channel.fails = None

    again, *arguments = bench.hub.later[RESTART_SECONDS]
    again(*arguments)

    bench.pulse.check()


def test_an_error_of_the_connection_is_celerys_to_handle(bench):
    bench.channel.fails = ConnectionResetError("reset")

    with pytest.raises(ConnectionResetError):
        bench.step.start(bench.consumer)


def test_stopping_finishes_acknowledges_and_closes_in_this_order(bench):
    bench.step.start(bench.consumer)
    bench.channel.deliver(1)

    bench.step.stop(bench.consumer)

    assert bench.channel.told[-3:] == [("cancel", "tag"), ("ack", 1, True), ("close",)]
    assert not bench.hub.repeated
    with pytest.raises(Exception, match="not consuming"):
        bench.pulse.check()


def test_after_a_lost_connection_nothing_is_said_on_it(bench):
    bench.step.start(bench.consumer)
    bench.channel.deliver(1)
    eventually(lambda: bench.hub.soon)
    bench.consumer.connection = None

    bench.step.stop(bench.consumer)
    bench.hub.run_soon()

    assert bench.channel.told[-1] == ("consume", "logs.store", False)
