"""How the worker is put together: Celery's settings, the steps, the environment, the probes."""

from __future__ import annotations

import logging
import socket
from types import SimpleNamespace

import pytest
import requests
from celery.concurrency.prefork import TaskPool
from celery.exceptions import WorkerShutdown

from common.lifecycle import Lifecycle
from common.settings import load
from common.web.app import create_flask
from protos.topics import LOGS_RETRIES
from tests.services import free_port
from worker.app import create_app
from worker.health import HealthServer, parts_step
from worker.listener import LogListener
from worker.settings import WorkerSettings


def settings(**changes) -> WorkerSettings:
    return WorkerSettings(**{"rabbit_url": "amqp://u:p@rabbit.invalid:1/", "worker_port": 1, **changes})


def test_messages_are_given_up_only_when_their_work_is_done():
    conf = create_app(settings()).conf

    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.accept_content == ["json"]


def test_the_worker_never_gives_up_on_the_message_queue():
    conf = create_app(settings()).conf

    assert conf.broker_connection_max_retries is None
    assert conf.broker_connection_retry_on_startup
    assert conf.broker_channel_error_retry


def test_the_address_of_rabbitmq_wins_over_the_gateways_which_celery_takes_for_its_own(monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "http://localhost:8080")

    app = create_app(settings())

    assert app.connection_for_read().hostname == "rabbit.invalid"
    assert app.connection_for_write().hostname == "rabbit.invalid"


def test_jobs_wait_in_a_quorum_queue_with_a_limit_and_dead_letters():
    (queue,) = create_app(settings()).amqp.queues.values()

    assert queue.name == "worker.jobs"
    assert queue.queue_arguments["x-queue-type"] == "quorum"
    assert queue.queue_arguments["x-dead-letter-exchange"] == "worker.dlx"


def test_the_events_queue_is_not_a_task_queue():
    assert "logs.store" not in create_app(settings()).amqp.queues


@pytest.mark.parametrize(
    "name",
    [
        "LISTENER_PREFETCH",
        "LISTENER_PREFETCH_BYTES",
        "LISTENER_BATCH_SIZE",
        "LISTENER_HOLD_SECONDS",
        "LISTENER_STALL_SECONDS",
        "GRPC_TIMEOUT",
        "WORKER_PORT",
    ],
)
def test_a_limit_of_zero_is_refused_at_the_start(monkeypatch, capsys, name):
    monkeypatch.setenv(name, "0")

    with pytest.raises(SystemExit):
        load(WorkerSettings)

    assert name in capsys.readouterr().err


def test_events_cannot_be_held_for_as_long_as_rabbitmq_lets_a_consumer_wait(monkeypatch, capsys):
    monkeypatch.setenv("LISTENER_HOLD_SECONDS", "1800")

    with pytest.raises(SystemExit):
        load(WorkerSettings)

    assert "LISTENER_HOLD_SECONDS" in capsys.readouterr().err


def test_every_retry_tier_waits_as_its_name_says_and_leads_to_the_listeners_queue_only():
    names = {"logs.retry.5s": 5_000, "logs.retry.30s": 30_000, "logs.retry.5m": 300_000}

    assert {queue.name: queue.arguments["x-message-ttl"] for queue in LOGS_RETRIES.queues} == names
    assert {queue.arguments["x-dead-letter-exchange"] for queue in LOGS_RETRIES.queues} == {"logs.requeue"}
    assert not any("x-dead-letter-routing-key" in queue.arguments for queue in LOGS_RETRIES.queues)
    assert [binding.queue for binding in LOGS_RETRIES.bindings if binding.exchange == "logs.requeue"] == ["logs.store"]


def test_known_credentials_are_refused_in_production(monkeypatch, capsys):
    monkeypatch.setenv("APP_ENV", "production")

    with pytest.raises(SystemExit):
        load(WorkerSettings)

    assert "RABBIT_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "consumer", [SimpleNamespace(hub=None, pool=None), SimpleNamespace(hub=object(), pool=TaskPool())]
)
def test_a_pool_that_cannot_carry_the_listener_is_refused_in_one_line(caplog, consumer):
    with caplog.at_level(logging.CRITICAL), pytest.raises(SystemExit):
        LogListener(consumer)

    assert [record.message for record in caplog.records] == ["pool_not_supported"]


def test_probes_answer_from_start_to_stop():
    port = free_port()
    step = parts_step(Lifecycle(), HealthServer(create_flask("worker", checks={}), "127.0.0.1", port), port=port)(None)

    step.start(None)
    answer = requests.get(f"http://127.0.0.1:{port}/ping", timeout=5)
    step.stop(None)

    assert answer.text == "OK"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/ping", timeout=5)


def test_a_taken_port_stops_the_worker_with_one_line_that_names_the_variable(caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        step = parts_step(Lifecycle(), HealthServer(create_flask("worker", checks={}), "127.0.0.1", port), port=port)(
            None
        )

        with pytest.raises(WorkerShutdown):
            step.start(None)

    (line,) = caplog.records
    assert (line.message, line.port, line.variable) == ("port_taken", port, "WORKER_PORT")
