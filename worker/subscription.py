"""One consumer of one queue on its own channel, with the methods that `ConsumerStep` calls.

py-amqp directly: kombu would decode the body, and decompress it by a header that anybody may send.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from worker.domain import Delivery
from worker.service import LogIntake
from worker.wire import UNREADABLE, guard

log = logging.getLogger(__name__)


class Observer(Protocol):
    def on_received(self) -> None:
        """After each delivery that the intake took."""

    def on_cancelled(self) -> None:
        """The broker ended the subscription, usually because the queue was deleted."""

    def on_pressed(self) -> None:
        """`adapt` has something to do, and must not be called from here: a delivery is being handled."""


class Subscription:
    def __init__(self, channel: Any, queue: str, intake: LogIntake, *, observer: Observer) -> None:  # noqa: ANN401 - amqp ships no types
        self.channel = channel
        self.count = 0
        self._queue = queue
        self._intake = intake
        self._observer = observer
        self._tag = ""
        self._pressed = False
        # Tags of deliveries that there was no room for; their bodies are gone from memory.
        self._returned: list[int] = []
        channel.auto_decode = False
        guard(channel, intake.refuse)

    def consume(self) -> None:
        # The limit of each consumer, not of the channel: quorum queues know no global one.
        self.channel.basic_qos(0, self._intake.window.size, False)
        # Without `on_cancel` the driver raises, and what it raises while Celery starts its loop is swallowed there.
        self._tag = self.channel.basic_consume(
            self._queue, no_ack=False, callback=self._on_message, on_cancel=self._on_cancel
        )

    def cancel(self) -> None:
        """Returns when nothing more can arrive."""
        tag, self._tag = self._tag, ""
        if tag:
            self.channel.basic_cancel(tag)

    def paused(self) -> bool:
        """Whether it waits for room before it takes more."""
        return not self._tag

    def adapt(self) -> None:
        """Follows the window: RabbitMQ takes a new prefetch count only with a new consumer. Raises the driver's error."""
        self._pressed = False
        window = self._intake.window
        if not self._returned and not self.paused() and not window.adapt():
            return
        # First the end of the old consumer, since the broker would send at once again what is returned to it.
        self.cancel()
        for tag in self._returned:
            self.channel.basic_reject(tag, requeue=True)
        self._intake.given_back(self._returned)
        self._returned.clear()
        if self._intake.weight() <= window.budget // 2:
            self.consume()
            log.debug("prefetch_changed", extra={"count": window.size})

    def close(self) -> None:
        """Whatever is not settled goes back to the queue."""
        self.channel.close()

    def settle(self) -> None:
        """Tells the broker what is done. Raises the driver's error when the channel is gone."""
        for settlement in self._intake.settlements():
            if settlement.refused:
                self.channel.basic_reject(settlement.tag, requeue=False)
            else:
                self.channel.basic_ack(settlement.tag, multiple=settlement.multiple)

    def waiting(self) -> int:
        """How many messages the broker holds ready. Raises the driver's error when the queue is gone."""
        count: int = self.channel.queue_declare(self._queue, passive=True).message_count
        return count

    def _has_room(self, tag: int, octets: int) -> bool:
        """The window is a guess from the past; this is what holds when messages grow all at once."""
        intake = self._intake
        if intake.weight() + octets > intake.window.budget and intake.in_hand():
            intake.window.overflowed(octets)
            intake.hold_back(tag)
            self._returned.append(tag)
            self._press()
            return False
        if intake.window.observe(octets):
            self._press()
        return True

    def _press(self) -> None:
        if not self._pressed:
            self._pressed = True
            self._observer.on_pressed()

    def _on_cancel(self, _tag: str) -> None:
        self._observer.on_cancelled()

    def _on_message(self, message: Any) -> None:  # noqa: ANN401 - amqp ships no types
        self.count += 1
        tag: int = message.delivery_info["delivery_tag"]
        properties = message.properties
        try:
            if UNREADABLE in properties:
                self._intake.refuse(tag)
            elif self._has_room(tag, len(message.body)):
                self._intake.receive(
                    Delivery(
                        tag,
                        _octets(message.body),
                        message.delivery_info["routing_key"],
                        properties.get("application_headers") or {},
                        properties,
                    )
                )
                self._observer.on_received()
        except Exception:
            # Left alone, it could be covered by an acknowledgement of others: the broker's own dead-lettering keeps it.
            log.exception("delivery_failed")
            self._intake.refuse(tag)


def _octets(body: object) -> bytes:
    """py-amqp gives an empty body as text."""
    return body if isinstance(body, bytes) else str(body).encode(errors="replace")
