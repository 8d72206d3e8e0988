"""Exchanges, queues and bindings as values, declared by whoever comes first.

Publisher and consumer declare the same topology: an exchange without its queue would swallow what is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable topic exchange."""

    name: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue bound to `exchange` by each of `bindings`. Arguments of a declared queue never change: a new meaning needs a new name."""

    name: str
    exchange: str
    bindings: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """One more way into a queue that another topology declares."""

    queue: str
    exchange: str
    key: str


@dataclass(frozen=True, slots=True)
class Topology:
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...] = ()

    def __add__(self, other: Topology) -> Topology:
        """Both, declared in this order."""
        return Topology(self.exchanges + other.exchanges, self.queues + other.queues, self.bindings + other.bindings)


def work_queue(name: str, exchange: str, bindings: tuple[str, ...], *, dead_letters: str, delivery_limit: int) -> Queue:
    """A replicated queue that gives a message up to the exchange `dead_letters` after `delivery_limit` deliveries, keeping its key.

    At-least-once dead-lettering asks for reject-publish: when the queue is full publishers are told, nothing is dropped.
    """
    return Queue(
        name,
        exchange,
        bindings,
        {
            "x-queue-type": "quorum",
            "x-delivery-limit": delivery_limit,
            "x-dead-letter-exchange": dead_letters,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def delay_queue(name: str, exchange: str, *, seconds: int, then: str) -> Queue:
    """A replicated queue that gives each message on to the exchange `then` after its time, keeping its key.

    Time to live on a quorum queue needs RabbitMQ 3.10. Nothing leaves before `then` has routed it (at-least-once).
    """
    return Queue(
        name,
        exchange,
        ("#",),
        {
            "x-queue-type": "quorum",
            "x-message-ttl": seconds * 1000,
            "x-dead-letter-exchange": then,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def archive_queue(name: str, exchange: str) -> Queue:
    """A replicated queue that keeps whatever reaches `exchange` until somebody looks."""
    return Queue(name, exchange, ("#",), {"x-queue-type": "quorum"})


def declare(channel: Any, topology: Topology) -> None:  # noqa: ANN401 - an amqp.Channel, which ships no types
    """Make sure that all of it exists. Raises the driver's error when something exists with other properties."""
    for exchange in topology.exchanges:
        channel.exchange_declare(exchange.name, "topic", durable=True, auto_delete=False)
    for queue in topology.queues:
        channel.queue_declare(queue.name, durable=True, auto_delete=False, arguments=dict(queue.arguments))
        for key in queue.bindings:
            channel.queue_bind(queue.name, queue.exchange, key)
    for binding in topology.bindings:
        channel.queue_bind(binding.queue, binding.exchange, binding.key)
