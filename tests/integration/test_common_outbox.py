from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from kombu import Connection

from common import outbox
from common.amqp.link import Message
from common.amqp.publisher import Publisher
from common.amqp.topology import Exchange, Queue, Topology
from common.errors import UnavailableError
from common.outbox import OutboxRelay, OutboxTable, Relayed
from common.postgres import transaction
from tests.auth.databases import query
from tests.waiting import eventually

# Port 1 of loopback: nobody listens there.
NO_RABBIT = "amqp://guest:guest@127.0.0.1:1/"


@pytest.fixture
def engine(database):
    dsn, engine = database
    query(dsn, "TRUNCATE outbox")
    return engine


@pytest.fixture
def waiting(database):
    def count() -> int:
        return query(database[0], "SELECT count(*) FROM outbox")[0][0]

    return count


@pytest.fixture(scope="module")
def connection(system):
    with Connection(system.env["RABBIT_URL"], connect_timeout=3) as connection:
        yield connection


@pytest.fixture
def topology(connection):
    name = f"outbox-test-{secrets.token_hex(4)}"
    yield Topology((Exchange(name),), (Queue(name, name, ("told",), {"x-expires": 60_000}),))
    channel = connection.channel()
    channel.queue_delete(name)
    channel.exchange_delete(name)
    channel.close()


@pytest.fixture
def publish(system, topology):
    started = []

    def start(url=system.env["RABBIT_URL"]):
        publisher = Publisher(url, topology, timeout=5)
        publisher.start()
        started.append(publisher)
        return publisher

    yield start
    for publisher in started:
        publisher.stop()


def write(engine, topology, number, *, key="told"):
    message = Message(
        topology.exchanges[0].name, key, f'{{"n":{number}}}'.encode(), f"id-{number:04}", headers={"X-Request-Id": "r"}
    )
    with transaction(engine) as connection:
        OutboxTable().add(connection, message)


def received(connection, topology):
    """Everything in the queue, taken out of it."""
    channel = connection.channel()
    found = []
    while (message := channel.basic_get(topology.queues[0].name, no_ack=True)) is not None:
        found.append(message)
    channel.close()
    return found


def test_a_message_arrives_as_it_was_written_and_leaves_the_table(engine, topology, publish, connection, waiting):
    write(engine, topology, 1)

    assert OutboxRelay(engine, publish(), app_id="test").relay_batch() == Relayed(1, 0)

    (message,) = received(connection, topology)
    assert message.body in {b'{"n":1}', '{"n":1}'}
    assert message.properties["message_id"] == "id-0001"
    assert message.properties["app_id"] == "test"
    assert message.properties["delivery_mode"] == 2
    assert message.properties["content_type"] == "application/json"
    assert message.properties["application_headers"]["X-Request-Id"] == "r"
    assert waiting() == 0


def test_while_rabbitmq_is_away_messages_wait_and_then_all_arrive_in_order(
    engine, topology, publish, connection, waiting
):
    for number in range(5):
        write(engine, topology, number)
    away = OutboxRelay(engine, publish(NO_RABBIT))

    assert away.relay_batch() == Relayed(0, 5)
    assert waiting() == 5

    assert OutboxRelay(engine, publish()).relay_batch() == Relayed(5, 0)
    found = received(connection, topology)
    assert [message.properties["message_id"] for message in found] == [f"id-{number:04}" for number in range(5)]
    assert waiting() == 0


def test_the_running_relay_sends_at_once_when_told(engine, topology, publish, connection, waiting):
    publisher = publish()
    eventually(lambda: publisher.check() is None)
    relay = OutboxRelay(engine, publisher, rhythm=replace(outbox.RHYTHM, look=60))
    relay.start()
    try:
        write(engine, topology, 1)
        relay.notify()

        eventually(lambda: waiting() == 0, seconds=10)
    finally:
        relay.stop()
    assert len(received(connection, topology)) == 1


def test_the_running_relay_finds_what_another_process_wrote(engine, topology, publish, waiting):
    relay = OutboxRelay(engine, publish())
    relay.start()
    try:
        write(engine, topology, 1)

        eventually(lambda: waiting() == 0, seconds=10)
    finally:
        relay.stop()


def test_three_relays_share_the_work_and_send_each_message_once(
    engine, topology, publish, connection, waiting, monkeypatch
):
    monkeypatch.setattr(outbox, "BATCH", 10)
    for number in range(60):
        write(engine, topology, number)
    relays = [OutboxRelay(engine, publish()) for _ in range(3)]

    def work(relay):
        taken = 0
        while waiting():
            taken += relay.relay_batch().taken
        return taken

    with ThreadPoolExecutor(max_workers=3) as pool:
        assert sum(pool.map(work, relays)) == 60

    ids = [message.properties["message_id"] for message in received(connection, topology)]
    assert sorted(ids) == [f"id-{number:04}" for number in range(60)]


def test_a_relay_does_not_wait_for_what_another_one_holds(engine, topology, publish, waiting):
    write(engine, topology, 1)
    write(engine, topology, 2)

    with transaction(engine) as held:
        assert [message.message_id for message in OutboxTable().take(held, limit=1)] == ["id-0001"]
        assert OutboxRelay(engine, publish()).relay_batch() == Relayed(1, 0)

    assert waiting() == 1


def test_a_message_that_no_queue_takes_keeps_waiting_and_holds_up_nobody(
    database, engine, topology, publish, connection, monkeypatch
):
    monkeypatch.setattr(outbox, "BATCH", 1)
    write(engine, topology, 1, key="untold")
    write(engine, topology, 2)
    relay = OutboxRelay(engine, publish())

    assert [relay.relay_batch() for _ in range(3)] == [Relayed(0, 1), Relayed(1, 0), Relayed(0, 1)]

    assert query(database[0], "SELECT id, attempts FROM outbox") == [("id-0001", 2)]
    assert len(received(connection, topology)) == 1


def test_a_message_of_a_transaction_that_failed_is_never_sent(engine, topology, publish, connection):
    def fail():
        with transaction(engine) as open_connection:
            OutboxTable().add(open_connection, Message(topology.exchanges[0].name, "told", b"{}", "never"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert OutboxRelay(engine, publish()).relay_batch() == Relayed(0, 0)


def test_a_publisher_that_stopped_leaves_everything_in_the_table(engine, topology, publish, waiting):
    write(engine, topology, 1)
    publisher = publish()
    publisher.stop()

    with pytest.raises(UnavailableError):
        OutboxRelay(engine, publisher).relay_batch()

    assert waiting() == 1
