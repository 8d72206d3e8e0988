"""The composition root of the worker: Celery's configuration and the listener's parts. Nothing connects before the worker starts."""

from __future__ import annotations

import logging
import socket
from typing import Any

from celery import Celery, signals
from celery.utils.nodenames import default_nodename
from kombu import Exchange, Queue

from common.amqp.link import TRANSPORT_OPTIONS
from common.amqp.publisher import Publisher
from common.amqp.topology import Exchange as TopicExchange
from common.amqp.topology import Topology, archive_queue, work_queue
from common.clock import SystemClock
from common.lifecycle import Lifecycle
from common.logs import configure
from common.web.app import create_flask
from common.web.health import Check
from protos.topics import LOGS, LOGS_QUEUE, LOGS_RETRIES
from worker.batcher import BatchLimits
from worker.clients.dead_letters import RabbitDeadLetters
from worker.clients.log_store import GrpcLogStore
from worker.clients.retry_tiers import RabbitRetryTiers
from worker.health import HealthServer, parts_step
from worker.listener import Listening, listener_step
from worker.pulse import Progress, Pulse
from worker.service import LogIntake
from worker.settings import WorkerSettings
from worker.window import Window
from worker.wire import read_any_properties

JOBS_QUEUE = "worker.jobs"
JOBS_DEAD_EXCHANGE = "worker.dlx"
JOBS = work_queue(JOBS_QUEUE, JOBS_QUEUE, (JOBS_QUEUE,), dead_letters=JOBS_DEAD_EXCHANGE, delivery_limit=20)
JOBS_DEAD = Topology((TopicExchange(JOBS_DEAD_EXCHANGE),), (archive_queue("worker.dlq", JOBS_DEAD_EXCHANGE),))

# What a stopping worker needs besides the listener's last batch.
STOP_RESERVE = 2.0


def create_app(settings: WorkerSettings) -> Celery:
    app = Celery("worker")
    app.conf.update(_configuration(settings))
    _add_signals(settings)
    read_any_properties()
    lifecycle = Lifecycle()
    store = GrpcLogStore(settings.logger_grpc_address, timeout=settings.grpc_timeout)
    lifecycle.add("log store", start=store.start, stop=store.stop)
    listening = _listening(settings, store, lifecycle)
    progress = Progress(listening.intake, limit=settings.listener_stall_seconds)
    checks = {
        "rabbitmq": Check(listening.pulse.check),
        "progress": Check(progress.check),
        "logger": Check(store.check, critical=False),
        "held": Check(progress.check_held, critical=False),
    }
    health = HealthServer(
        create_flask("worker", checks=checks, lifecycle=lifecycle), settings.bind_host, settings.worker_port
    )
    app.steps["worker"].add(parts_step(lifecycle, health, port=settings.worker_port))
    app.steps["consumer"].add(listener_step(listening))
    return app


def _listening(settings: WorkerSettings, store: GrpcLogStore, lifecycle: Lifecycle) -> Listening:
    publisher = Publisher(settings.rabbit_url, LOGS + LOGS_RETRIES, timeout=settings.publish_timeout)
    lifecycle.add("publisher", start=publisher.start, stop=publisher.stop)
    intake = LogIntake(
        store,
        RabbitDeadLetters(publisher, SystemClock()),
        RabbitRetryTiers(publisher, SystemClock()),
        limits=BatchLimits(size=settings.listener_batch_size, wait=settings.listener_batch_wait),
        window=Window(limit=settings.listener_prefetch, budget=settings.listener_prefetch_bytes),
        hold=settings.listener_hold_seconds,
        # A call that still has its time-out before it is not hung.
        stall=settings.listener_stall_seconds + settings.grpc_timeout + settings.publish_timeout,
    )
    lifecycle.add("intake", start=intake.start, stop=intake.stop)
    grace = max(1.0, settings.shutdown_grace - STOP_RESERVE)
    return Listening(intake, Pulse(), queue=LOGS_QUEUE, topology=LOGS + LOGS_RETRIES + JOBS_DEAD, grace=grace)


def _configuration(settings: WorkerSettings) -> dict[str, Any]:
    return {
        # Not broker_url: Celery's command line fills that from BROKER_URL, which is the gateway's address here.
        "broker_read_url": settings.rabbit_url,
        "broker_write_url": settings.rabbit_url,
        "worker_pool": "threads",
        "worker_consumer": "worker.patient_consumer:PatientConsumer",
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        # It has no effect on quorum queues, and says so in a long line at every reconnection.
        "worker_enable_prefetch_count_reduction": False,
        "worker_soft_shutdown_timeout": max(1.0, settings.shutdown_grace - STOP_RESERVE),
        "task_default_queue": JOBS_QUEUE,
        "task_queues": [
            Queue(JOBS_QUEUE, Exchange(JOBS_QUEUE), routing_key=JOBS_QUEUE, queue_arguments=dict(JOBS.arguments))
        ],
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A closed channel (a deleted queue, an acknowledgement that came too late) is a reason to reconnect, not to stop.
        "broker_channel_error_retry": True,
        "broker_heartbeat": 30,
        # Without them a broker that accepts bytes and answers nothing would hold the event loop for ever.
        "broker_transport_options": dict(TRANSPORT_OPTIONS),
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
    }


def _add_signals(settings: WorkerSettings) -> None:
    def name_and_quiet(sender: str, instance: Any, **_: object) -> None:  # noqa: ANN401 - celery ships no types
        """Celery's control queue is exclusive and named after the node, so two workers on one machine need two names."""
        if sender == default_nodename(None):
            instance.hostname = f"worker-{settings.worker_port}@{socket.gethostname()}"
        instance.quiet = True  # the banner is not a log line
        log_as_service()

    def log_as_service(**_: object) -> None:
        configure("worker", level=settings.log_level, style=settings.log_format)
        logging.captureWarnings(capture=True)

    signals.celeryd_init.connect(name_and_quiet, weak=False)
    signals.setup_logging.connect(log_as_service, weak=False)
