"""The publisher against a real RabbitMQ: what it says is taken is in a queue, and what is not is told."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psutil
import pytest
from kombu import Connection

from common.amqp.link import WRITE_BYTES, Message
from common.amqp.publisher import MAX_PENDING, WINDOW, Publisher
from common.amqp.topology import Exchange, Queue, Topology
from common.errors import AppError, DeadlineError, TooManyError, UnavailableError
from tests.outages import stopped
from tests.proxy import Proxy
from tests.waiting import eventually

# AMQP 0-9-1, section 4.2.7: frame type 8 on channel 0, empty, with the frame-end octet
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"


@pytest.fixture
def name() -> str:
    return f"test.publisher.{secrets.token_hex(4)}"


@pytest.fixture
def topology(system, name) -> Iterator[Topology]:
    """An exchange with one queue that takes `in.*`, and one of at most three messages that takes `few`; deleted at the end."""
    yield Topology(
        exchanges=(Exchange(name),),
        queues=(
            Queue(name, name, ("in.*",)),
            Queue(f"{name}.few", name, ("few",), {"x-max-length": 3, "x-overflow": "reject-publish"}),
        ),
    )
    with Connection(system.env["RABBIT_URL"], connect_timeout=5) as connection, connection.channel() as channel:
        for queue in (name, f"{name}.few"):
            channel.queue_delete(queue)
        channel.exchange_delete(name)


@pytest.fixture
def publisher(system, topology) -> Iterator[Publisher]:
    publisher = Publisher(system.env["RABBIT_URL"], topology, timeout=5)
    publisher.start()
    yield publisher
    publisher.stop()


def message(name: str, key: str = "in.x", message_id: str = "") -> Message:
    return Message(name, key, b"{}", message_id=message_id or secrets.token_hex(8), headers={"X-Request-Id": "r"})


def waiting(system, queue: str) -> int:
    with Connection(system.env["RABBIT_URL"], connect_timeout=5) as connection, connection.channel() as channel:
        return channel.queue_declare(queue, passive=True).message_count


def test_what_many_callers_publish_at_once_is_all_in_the_queue(system, publisher, name):
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda _: publisher.publish(message(name)), range(500)))

    assert waiting(system, name) == 500


def test_what_leaves_in_one_write_arrives_whole_and_in_order(system, publisher, name):
    """The driver builds each small message in the same buffer, and large ones it sends in pieces of their own."""
    sizes = [150_000 if number % 97 == 96 else 1_500 + number for number in range(2 * WINDOW)]
    sent = [
        Message(name, "in.x", (f"{number:05}-" * (size // 6)).encode(), message_id=f"id-{number}")
        for number, size in enumerate(sizes)
    ]
    assert sum(sizes[:WINDOW]) > 2 * WRITE_BYTES
    eventually(lambda: publisher.check() is None)

    assert publisher.outcomes(sent) == [None] * len(sent)

    with Connection(system.env["RABBIT_URL"], connect_timeout=5) as connection, connection.channel() as channel:
        for each in sent:
            got = channel.basic_get(name, no_ack=True)
            assert got.properties["message_id"] == each.message_id
            assert got.body == each.body.decode()


def test_a_message_is_persistent_and_carries_its_identity(system, publisher, name):
    publisher.publish(message(name, message_id="order-1"))

    with Connection(system.env["RABBIT_URL"], connect_timeout=5) as connection, connection.channel() as channel:
        got = channel.basic_get(name, no_ack=True)
    assert got.properties["delivery_mode"] == 2
    assert got.properties["message_id"] == "order-1"
    assert got.properties["application_headers"] == {"X-Request-Id": "r"}


def test_what_no_queue_takes_is_no_success_and_keeps_no_other_out(publisher, name):
    lost = message(name, "nowhere")

    outcomes = publisher.outcomes([message(name), lost, message(name)])

    assert outcomes[0] is None
    assert isinstance(outcomes[1], UnavailableError)
    assert outcomes[2] is None


def test_two_lost_messages_of_one_id_are_both_told(publisher, name):
    outcomes = publisher.outcomes([message(name, "nowhere", "same"), message(name, "nowhere", "same")])

    assert [type(outcome) for outcome in outcomes] == [UnavailableError, UnavailableError]


def test_a_full_queue_refuses_and_the_caller_hears_it(publisher, name):
    outcomes = [publisher.outcomes([message(name, "few")])[0] for _ in range(8)]

    assert outcomes[0] is None
    assert isinstance(outcomes[-1], UnavailableError)


def test_more_than_may_wait_is_refused_before_it_is_sent(system, publisher, name):
    eventually(lambda: publisher.check() is None)

    with pytest.raises(TooManyError):
        publisher.publish_many([message(name) for _ in range(MAX_PENDING + 1)])

    assert waiting(system, name) == 0


def test_a_heartbeat_that_waits_on_the_connection_holds_up_no_message(system, topology, name):
    """RabbitMQ sends one every 15 s, so one in thirty messages after a pause finds one."""
    address = urlsplit(system.env["RABBIT_URL"])
    with Proxy((address.hostname, address.port)) as proxy:
        through = address._replace(netloc=address.netloc.replace(str(address.port), str(proxy.address[1])))
        publisher = Publisher(through.geturl(), topology, timeout=5)
        publisher.start()
        eventually(lambda: publisher.check() is None)
        for _ in range(20):
            proxy.inject(HEARTBEAT)

            publisher.publish(message(name))
        publisher.stop()


def test_without_rabbitmq_callers_are_told_quickly_and_the_connection_comes_back_by_itself(system, publisher, name):
    publisher.publish(message(name))
    with stopped(system, "rabbitmq"):
        started = time.monotonic()
        with pytest.raises(AppError):
            publisher.publish(message(name))
        assert time.monotonic() - started < 6
        with pytest.raises(UnavailableError):
            publisher.check()

    eventually(lambda: publisher.outcomes([message(name)]) == [None], seconds=20)
    publisher.check()


def test_a_paused_rabbitmq_costs_the_time_out_and_no_more(system, name, topology):
    publisher = Publisher(system.env["RABBIT_URL"], topology, timeout=1)
    publisher.start()
    server = psutil.Process(system.part("rabbitmq")["pid"])
    processes = [server, *server.children(recursive=True)]
    try:
        eventually(lambda: publisher.outcomes([message(name)]) == [None])
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises((DeadlineError, UnavailableError)):
            publisher.publish(message(name))
        assert time.monotonic() - started < 3
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)

    eventually(lambda: publisher.outcomes([message(name)]) == [None], seconds=30)
    publisher.stop()


def test_a_rabbitmq_that_reads_nothing_for_two_seconds_costs_no_message(system, publisher, name):
    """As under its own flow control: the window of the connection closes, which is no dead peer."""
    many = [Message(name, "in.x", b"x" * 200_000, message_id=secrets.token_hex(8)) for _ in range(100)]
    eventually(lambda: publisher.check() is None)
    server = psutil.Process(system.part("rabbitmq")["pid"])
    processes = [server, *server.children(recursive=True)]
    with ThreadPoolExecutor(1) as pool:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            paused = time.monotonic()
            sent = pool.submit(publisher.outcomes, many)
            eventually(lambda: time.monotonic() - paused > 2.5)
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

        assert sent.result(timeout=20) == [None] * 100
    assert waiting(system, name) == 100


def test_a_publisher_that_stopped_refuses(publisher, name):
    publisher.stop()

    with pytest.raises(UnavailableError):
        publisher.publish(message(name))
