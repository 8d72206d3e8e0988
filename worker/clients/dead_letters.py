"""Puts messages that are given up where somebody can look at them: the dead-letter exchange, with the reason and the history."""

from __future__ import annotations

from collections.abc import Sequence

from common.amqp.link import Message
from common.amqp.publisher import Publisher
from common.clock import Clock
from protos.topics import (
    LOGS_DEAD_EXCHANGE,
    LOGS_DEAD_QUEUE,
    LOGS_QUEUE,
    ORIGIN_HEADER,
    REASON_HEADER,
    REFUSED_AT_HEADER,
    ROUTING_KEY_HEADER,
)
from worker.clients.messages import copy_of, is_writable, portions
from worker.domain import Rejected
from worker.history import failed


class RabbitDeadLetters:
    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    def can_carry(self, rejected: Rejected) -> bool:
        """Whether the message can be written again as it came; the broker's own dead-lettering can do it with any."""
        return is_writable(self._headers(rejected))

    def keep(self, rejected: Sequence[Rejected]) -> None:
        for portion in portions(rejected):
            self._publisher.publish_many([self._message(each) for each in portion])

    def _message(self, rejected: Rejected) -> Message:
        return copy_of(
            rejected.delivery,
            exchange=LOGS_DEAD_EXCHANGE,
            headers=self._headers(rejected),
            record_id=rejected.record_id,
        )

    def _headers(self, rejected: Rejected) -> dict[str, object]:
        now = self._clock.now().isoformat(timespec="milliseconds")
        return {
            **failed(rejected.delivery.headers, at=now, reason=rejected.reason, tier=LOGS_DEAD_QUEUE),
            REASON_HEADER: rejected.reason,
            ORIGIN_HEADER: LOGS_QUEUE,
            REFUSED_AT_HEADER: now,
            ROUTING_KEY_HEADER: rejected.delivery.routing_key,
        }
