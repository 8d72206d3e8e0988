"""The order of an operator's commands on dead letters: a letter is deleted after its copy is confirmed, and whatever goes wrong, none is lost."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from types import SimpleNamespace

import amqp
import pytest

from common.errors import DeadlineError
from worker.clients.archive import Archive
from worker.domain import Delivery
from worker.letters import Selection, letter_of
from worker.wire import UNREADABLE


class Channel:
    """A broker's channel with these messages in the archive, that remembers what it was told; what is not acknowledged goes back."""

    def __init__(self, *messages: amqp.Message) -> None:
        self.told: list[tuple] = []
        self._messages = deque(messages)
        self._callback = None
        self.connection = SimpleNamespace(drain_events=self._drain)

    def dispatch_method(self, *_: object) -> None:
        """Guarded by the archive."""

    def queue_declare(self, _name: str, *, passive: bool) -> SimpleNamespace:
        return SimpleNamespace(message_count=len(self._messages))

    def basic_qos(self, *arguments: object) -> None:
        self.told.append(("qos", *arguments))

    def basic_consume(self, _queue: str, *, no_ack: bool, callback) -> str:
        self._callback = callback
        return "tag"

    def _drain(self, timeout: float) -> None:
        if not self._messages:
            raise TimeoutError
        self._callback(self._messages.popleft())

    def basic_cancel(self, tag: str) -> None:
        self.told.append(("cancel",))

    def basic_ack(self, tag: int) -> None:
        self.told.append(("ack", tag))

    def close(self) -> None:
        self.told.append(("close",))


class Outbox:
    """The publisher's place: `errors` by the position of the message."""

    def __init__(self, channel: Channel) -> None:
        self.sent: list = []
        self.errors: dict[int, Exception] = {}
        self._channel = channel

    def outcomes(self, messages):
        self._channel.told.append(("publish", len(messages)))
        self.sent += messages
        return [self.errors.get(number) for number in range(len(messages))]


def message(tag: int, body: bytes = b'{"name":"a","data":"b"}', *, headers: dict | None = None, **properties):
    made = amqp.Message(body, application_headers=headers or {}, **properties)
    made.delivery_info = {"delivery_tag": tag, "routing_key": "log.ERROR"}
    return made


def archive(*messages) -> tuple[Archive, Channel, Outbox]:
    channel = Channel(*messages)
    outbox = Outbox(channel)
    return Archive(channel, lambda: outbox), channel, outbox


def test_a_letter_is_deleted_after_its_copy_is_confirmed_and_the_others_go_back():
    held, channel, outbox = archive(message(1, message_id="a"), message(2, message_id="b"), message(3, message_id="c"))
    outbox.errors = {1: DeadlineError("the message queue did not confirm in time")}

    outcomes = held.replay(list(held.letters()), at="now")
    held.close()

    assert [bool(each) for each in outcomes] == [False, True, False]
    assert channel.told[1:] == [("publish", 3), ("ack", 1), ("ack", 3), ("cancel",), ("close",)]
    assert {each.exchange for each in outbox.sent} == {"logs.requeue"}


def test_letters_that_somebody_else_holds_are_not_waited_for():
    held, channel, _ = archive(message(1), message(2))
    channel._messages.pop()

    assert len(list(held.letters())) == 1


def test_no_more_is_fetched_than_asked_for():
    held, channel, _ = archive(*[message(tag) for tag in range(1, 10)])

    assert len(list(held.letters(limit=4))) == 4
    assert channel.told == [("qos", 0, 4, False)]


def test_a_letter_that_was_looked_at_often_is_renewed_before_the_old_one_goes():
    worn = message(1, message_id="a", headers={"x-delivery-count": 10, "x-reason": "odd", "x-death": [{"queue": "q"}]})
    held, channel, outbox = archive(worn, message(2, headers={"x-delivery-count": 9}))
    list(held.letters())

    held.close()

    assert channel.told[1:] == [("cancel",), ("publish", 1), ("ack", 1), ("close",)]
    (copy,) = outbox.sent
    assert (copy.exchange, copy.routing_key, copy.message_id) == ("logs.dlx", "log.ERROR", "a")
    assert copy.headers == {"x-reason": "odd", "x-death": [{"queue": "q"}]}


def test_a_worn_letter_that_was_dealt_with_is_not_renewed():
    held, channel, outbox = archive(message(1, message_id="a", headers={"x-delivery-count": 15}))
    held.done(list(held.letters()))

    held.close()

    assert not outbox.sent
    assert channel.told[1:] == [("ack", 1), ("cancel",), ("close",)]


@pytest.mark.parametrize(
    ("body", "properties", "shown", "names"),
    [
        (b'{"id":"record"}', {"message_id": "m"}, "record", {"record", "m"}),
        (b'{"id":"a b"}', {"message_id": "m"}, "m", {"m"}),
        (b"no json", {"message_id": "m"}, "m", {"m"}),
    ],
)
def test_a_letter_is_known_by_the_id_of_its_record_and_of_its_message(body, properties, shown, names):
    letter = letter_of(Delivery(1, body, "log.INFO", {}, properties))

    assert (letter.id, letter.names) == (shown, names)


def test_a_letter_without_any_id_has_the_same_name_at_every_look_and_a_new_identity_when_it_is_replayed():
    first = letter_of(Delivery(1, b"{}", "log.INFO", {}, {}))
    second = letter_of(Delivery(9, b"{}", "log.INFO", {"x-delivery-count": 4}, {}))
    held, _, outbox = archive(message(1, b"{}"), message(2, b"{}"))

    held.replay(list(held.letters()), at="now")

    assert first.id == second.id
    # Two events of the same words are two events.
    assert len({each.message_id for each in outbox.sent}) == 2


def test_a_letter_of_rabbitmq_itself_tells_when_and_why():
    death = {"queue": "logs.store", "reason": "delivery_limit", "time": datetime(2026, 3, 1, 10)}  # noqa: DTZ001 - as py-amqp reads it

    letter = letter_of(Delivery(1, b"{}", "log.INFO", {"x-death": [death]}, {}))

    assert letter.reason == "set aside by RabbitMQ: delivery_limit in logs.store"
    assert letter.at == "2026-03-01T10:00:00.000+00:00"


@pytest.mark.parametrize("headers", [{}, {"x-death": []}, {"x-death": "forged"}, {"x-reason": 5}])
def test_a_letter_without_a_reason_is_listed_all_the_same(headers):
    assert letter_of(Delivery(1, b"\xff\x00", "k", headers, {})).summary()["reason"] == "unknown"


def test_a_letter_that_cannot_be_read_whole_says_so():
    letter = letter_of(Delivery(1, b"\xff", "k", {}, {UNREADABLE: True}))

    assert not letter.replayable
    assert letter.whole()["body_base64"] == "/w=="


def test_a_selection_needs_all_that_it_names():
    letter = letter_of(Delivery(1, b"{}", "k", {"x-reason": "Name is missing"}, {"message_id": "m"}))

    assert Selection().takes(letter)
    assert Selection(id="m", reason="name").takes(letter)
    assert not Selection(id="n", reason="name").takes(letter)
    assert not Selection(id="m", reason="data").takes(letter)
