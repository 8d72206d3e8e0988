"""One worker on the real RabbitMQ with a log store that the test holds in its hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests

from common.amqp.topology import declare
from protos.topics import LOGS
from tests.system import System
from tests.waiting import eventually
from tests.worker.process import serving
from tests.worker.rabbit import Rabbit, connected, events


@pytest.fixture
def rabbit(alone: System) -> Iterator[Rabbit]:
    with connected(alone.env["RABBIT_URL"]) as opened:
        declare(opened.channel, LOGS)
        opened.purge("logs.store", "logs.dlq")
        yield opened
        declare(opened.channel, LOGS)
        opened.purge("logs.store", "logs.dlq")


def test_prefetch_one_is_honoured_and_waits_for_no_company(rabbit, store, address, start):
    ids, bodies = events(50)
    rabbit.publish(*bodies)

    with serving(store, address):
        start(LISTENER_PREFETCH="1", LISTENER_BATCH_WAIT="5")
        eventually(lambda: len(store.ids) == 50, seconds=20)

    assert store.ids == ids
    assert store.calls == 50


def test_a_full_window_is_acknowledged_at_once_although_nothing_arrives_to_wake_the_loop(rabbit, store, address, start):
    _, bodies = events(2000)
    rabbit.publish(*bodies)

    with serving(store, address):
        # Asleep between windows, the loop would turn once a second: 100 windows would take far longer than the deadline.
        start(LISTENER_PREFETCH="20", LISTENER_BATCH_SIZE="20")
        eventually(lambda: len(store.ids) == 2000, seconds=30)
        eventually(lambda: rabbit.waiting("logs.store") == 0)


def test_a_logger_that_stalls_and_vanishes_costs_nothing_and_doubles_nothing(rabbit, store, address, start):
    ids, bodies = events(3000)
    store.open.clear()
    with serving(store, address):
        started = start(GRPC_TIMEOUT="1")
        rabbit.publish(*bodies)
        eventually(lambda: store.calls >= 2)

    with serving(store, address):
        eventually(lambda: len(set(store.ids)) == 3000, seconds=30)
        eventually(lambda: rabbit.waiting("logs.store") == 0)
        assert started.stop() == 0

    assert sorted(store.ids) == sorted(ids)
    assert rabbit.waiting("logs.store") == 0


def test_stopping_while_the_logger_does_not_answer_returns_the_events_in_time(rabbit, store, address, start):
    ids, bodies = events(100)
    store.open.clear()
    with serving(store, address):
        started = start(SHUTDOWN_GRACE="3", GRPC_TIMEOUT="30")
        rabbit.publish(*bodies)
        eventually(lambda: store.calls)

        begun = time.monotonic()
        assert started.stop(seconds=10) == 0

        assert time.monotonic() - begun < 5
        eventually(lambda: rabbit.waiting("logs.store") == len(ids))
    assert [line["returned"] for line in started.logged("listener_stopped")] == [100]


def test_stopping_stores_the_batch_that_is_still_filling(rabbit, store, address, start):
    ids, bodies = events(10)
    with serving(store, address):
        started = start(LISTENER_BATCH_WAIT="10")
        started.wait_ready()
        rabbit.publish(*bodies)
        eventually(lambda: rabbit.waiting("logs.store") == 0)

        assert started.stop() == 0

    assert store.ids == ids
    assert [line["returned"] for line in started.logged("listener_stopped")] == [0]


def test_a_deleted_queue_is_declared_again(rabbit, store, address, start):
    with serving(store, address):
        started = start()
        started.wait_ready()
        rabbit.channel.queue_delete("logs.store")

        eventually(lambda: started.log().count("listener_started") == 2, seconds=20)
        ids, bodies = events(5)
        rabbit.publish(*bodies)

        eventually(lambda: store.ids == ids)
        assert started.status() == 200


def test_a_queue_with_other_properties_keeps_the_worker_alive_and_unready_until_it_is_gone(
    rabbit, store, address, start
):
    rabbit.channel.queue_delete("logs.store")
    rabbit.channel.queue_declare("logs.store", durable=True, auto_delete=False)
    with serving(store, address):
        started = start()
        eventually(lambda: "listener_not_started" in started.log(), seconds=20)
        assert (started.status("/livez"), started.status("/readyz")) == (200, 503)

        rabbit.channel.queue_delete("logs.store")

        started.wait_ready()
        assert started.stop() == 0


def test_readiness_tells_the_parts_apart(rabbit, store, address, start):
    started = start()
    eventually(lambda: started.status() == 200, seconds=30)

    without = requests.get(f"{started.url}/readyz", timeout=5).json()
    with serving(store, address):
        eventually(lambda: not requests.get(f"{started.url}/readyz", timeout=5).json()["degraded"])

    assert without["degraded"]
    assert {name: check["status"] for name, check in without["checks"].items()} == {
        "rabbitmq": "up",
        "progress": "up",
        "logger": "down",
        "held": "up",
    }
    assert requests.get(f"{started.url}/ping", timeout=5).text == "OK"


def test_rabbitmq_refusing_the_worker_keeps_it_alive_and_unready(rabbit, alone, start):
    wrong = alone.env["RABBIT_URL"].replace("guest:guest@", "guest:wrong@")

    started = start(RABBIT_URL=wrong)

    eventually(lambda: started.log().count("rabbitmq_refused") >= 2, seconds=30)
    assert (started.status("/livez"), started.status("/readyz")) == (200, 503)
    assert started.log().count("rabbitmq_refused") < 5
    assert "wrong" not in started.log()
    assert started.stop() == 0


def test_every_line_of_the_log_is_json_with_the_services_name(rabbit, store, address, start):
    with serving(store, address):
        started = start()
        started.wait_ready()
        assert started.stop() == 0

    lines = [line for line in started.log().splitlines() if line and not line.startswith("worker: Warm shutdown")]
    assert {json.loads(line)["service"] for line in lines} == {"worker"}
