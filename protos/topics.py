"""The message bus as values. Publishers and the listener take them from here; `logs_topic` and its keys are the Go original's."""

from __future__ import annotations

from common.amqp.topology import Binding, Exchange, Topology, archive_queue, delay_queue, work_queue

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

# Bound to the listener's queue only: what comes back through it reaches no other queue of `logs_topic` a second time.
LOGS_REQUEUE_EXCHANGE = "logs.requeue"
# Exchange and queue of each tier have one name; seconds that a message waits there.
LOGS_RETRY_TIERS = {"logs.retry.5s": 5, "logs.retry.30s": 30, "logs.retry.5m": 300}

# The listener's own part: publishers need none of it.
LOGS_RETRIES = Topology(
    exchanges=(Exchange(LOGS_REQUEUE_EXCHANGE), *(Exchange(name) for name in LOGS_RETRY_TIERS)),
    queues=tuple(
        delay_queue(name, name, seconds=seconds, then=LOGS_REQUEUE_EXCHANGE)
        for name, seconds in LOGS_RETRY_TIERS.items()
    ),
    bindings=(Binding(LOGS_QUEUE, LOGS_REQUEUE_EXCHANGE, "#"),),
)

# What the listener writes on a message that it sets aside or passes through a retry tier.
REASON_HEADER = "x-reason"
ORIGIN_HEADER = "x-origin-queue"
REFUSED_AT_HEADER = "x-refused-at"
FIRST_SEEN_HEADER = "x-first-seen"
ROUTING_KEY_HEADER = "x-routing-key"
# A JSON list of {at, reason, tier}, oldest first; tier is where the message went after that attempt.
ATTEMPTS_HEADER = "x-attempts"
# How often it was put aside because the log store was away, which is no attempt.
PARKED_HEADER = "x-parked"
REPLAYED_AT_HEADER = "x-replayed-at"
# RabbitMQ's own x-death of an earlier life; under its own name the broker would act on it.
EARLIER_DEATH_HEADER = "x-earlier-death"


def log_key(level: str) -> str:
    """The routing key of a log event (seed 001: log.INFO, log.WARNING, log.ERROR)."""
    return f"log.{level.upper()}"
