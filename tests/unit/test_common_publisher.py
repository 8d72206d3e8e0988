from __future__ import annotations

import time

import pytest

from common.amqp import publisher as module
from common.amqp.link import Message
from common.amqp.publisher import Publisher
from common.amqp.topology import Topology
from common.errors import DeadlineError, UnavailableError
from tests.services import free_port


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

    assert time.monotonic() - started < 1
    publisher.stop()
