from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.amqp import publisher as module
from common.amqp.link import Message
from common.amqp.publisher import Publisher
from common.amqp.topology import Topology
from common.errors import DeadlineError, UnavailableError
from tests.services import free_port
from tests.waiting import eventually


class BreakingLink:
    """A connection that is lost in the first window: before anything of it was sent, or after."""

    before = False
    connected = True

    def __init__(self, _url: str, _topology: Topology) -> None:
        self.sent: list = []

    def send(self, batch: list) -> None:
        self.sent = [] if self.before else list(batch)
        raise ConnectionResetError

    def tend(self) -> None:
        """Idle, it stays up."""

    def close(self) -> None:
        """Nothing to close."""


class SlowLink:
    """A connection whose confirms wait until the test lets them come."""

    connected = True

    def __init__(self, _url: str, _topology: Topology) -> None:
        self.sent: list = []

    def send(self, batch: list) -> None:
        SENT.extend(each.message.message_id for each in batch)
        assert CONFIRMED.wait(20)
        for each in batch:
            each.finish()

    def tend(self) -> None:
        """Idle, it stays up."""

    def close(self) -> None:
        """Nothing to close."""


SENT: list[str] = []
CONFIRMED = threading.Event()


class NoLink:
    """Nobody listens; counts who tried."""

    tries = 0

    def __init__(self, _url: str, _topology: Topology) -> None:
        NoLink.tries += 1
        raise ConnectionRefusedError


@pytest.fixture
def publisher_on(monkeypatch):
    """Makes a started publisher on a kind of connection."""
    started: list[Publisher] = []

    def make(link: type) -> Publisher:
        monkeypatch.setattr(module, "Link", link)
        started.append(Publisher("amqp://unused", Topology((), ()), timeout=30))
        started[-1].start()
        return started[-1]

    SENT.clear()
    CONFIRMED.clear()
    NoLink.tries = 0
    yield make
    CONFIRMED.set()
    for each in started:
        each.stop()


def numbered(message_id: str) -> Message:
    return Message("exchange", "key", b"{}", message_id=message_id)


def test_a_call_may_have_less_patience_than_the_publisher_and_what_it_gave_up_is_never_sent(publisher_on):
    publisher = publisher_on(SlowLink)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(publisher.outcomes, [numbered("1")])
        eventually(lambda: SENT == ["1"])
        started = time.monotonic()
        (given_up,) = publisher.outcomes([numbered("2")], timeout=0.1)
        assert time.monotonic() - started < 10
        CONFIRMED.set()
        assert first.result(10) == [None]

    assert isinstance(given_up, DeadlineError)
    assert publisher.outcomes([numbered("3")]) == [None]
    assert SENT == ["1", "3"]


def test_after_a_failed_connection_callers_are_refused_without_another_try(publisher_on, monkeypatch):
    monkeypatch.setattr(module, "REST_SECONDS", 60)
    publisher = publisher_on(NoLink)

    for number in range(5):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            publisher.publish(numbered(str(number)))

    assert NoLink.tries == 1


def test_what_waits_when_a_publisher_is_stopped_is_sent_before_it_ends(publisher_on):
    publisher = publisher_on(SlowLink)
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(publisher.outcomes, [numbered("1")])]
        eventually(lambda: SENT == ["1"])
        taken.append(pool.submit(publisher.outcomes, [numbered("2")]))
        eventually(lambda: publisher._queue)
        stopping = pool.submit(publisher.stop)
        eventually(lambda: publisher._stopping)
        CONFIRMED.set()
        stopping.result(20)

        assert [each.result(20) for each in taken] == [[None], [None]]


def test_a_publisher_that_does_not_run_refuses_at_once(publisher_on):
    stopped = publisher_on(SlowLink)
    stopped.stop()

    for publisher in (stopped, Publisher("amqp://unused", Topology((), ()), timeout=30)):
        with pytest.raises(UnavailableError, match="not in use"):
            publisher.publish(numbered("1"))


def test_a_publisher_is_ready_while_its_connection_is_up(publisher_on, monkeypatch):
    with pytest.raises(UnavailableError):
        publisher_on(NoLink).check()
    publisher = publisher_on(SlowLink)
    eventually(lambda: publisher.check() is None)

    monkeypatch.setattr(SlowLink, "connected", False)

    with pytest.raises(UnavailableError):
        publisher.check()


@pytest.mark.parametrize(("before", "expected"), [(True, UnavailableError), (False, DeadlineError)])
def test_only_what_was_never_sent_is_told_as_not_done(monkeypatch, before, expected):
    monkeypatch.setattr(BreakingLink, "before", before)
    monkeypatch.setattr(module, "Link", BreakingLink)
    publisher = Publisher("amqp://unused", Topology((), ()), timeout=2)
    publisher.start()

    with pytest.raises(expected):
        publisher.publish(Message("exchange", "key", b"{}", message_id="1"))

    publisher.stop()


def test_a_port_that_nobody_listens_on_is_told_at_once():
    publisher = Publisher(f"amqp://guest:guest@127.0.0.1:{free_port()}/", Topology((), ()), timeout=5)
    publisher.start()
    started = time.monotonic()

    with pytest.raises(UnavailableError, match="cannot be reached"):
        publisher.publish(Message("exchange", "key", b"{}", message_id="1"))

    # the driver's own second attempt would come after two seconds
    assert time.monotonic() - started < 1.9
    publisher.stop()
