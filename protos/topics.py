"""The message bus as values. Publishers and the listener take them from here; `logs_topic` and its keys are the Go original's."""

from __future__ import annotations

from common.amqp.topology import Exchange, Topology, archive_queue, work_queue

LOGS_EXCHANGE = "logs_topic"
LOGS_QUEUE = "logs.store"
LOGS_DEAD_EXCHANGE = "logs.dlx"
LOGS_DEAD_QUEUE = "logs.dlq"

LOGS = Topology(
    exchanges=(Exchange(LOGS_EXCHANGE), Exchange(LOGS_DEAD_EXCHANGE)),
    queues=(
        archive_queue(LOGS_DEAD_QUEUE, LOGS_DEAD_EXCHANGE),
        work_queue(LOGS_QUEUE, LOGS_EXCHANGE, ("log.*",), dead_letters=LOGS_DEAD_EXCHANGE, delivery_limit=20),
    ),
)

# What the listener writes on a message that it sets aside.
REASON_HEADER = "x-reason"
ORIGIN_HEADER = "x-origin-queue"
REFUSED_AT_HEADER = "x-refused-at"


def log_key(level: str) -> str:
    """The routing key of a log event (seed 001: log.INFO, log.WARNING, log.ERROR)."""
    return f"log.{level.upper()}"
