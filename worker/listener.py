"""The listener of `logs_topic` as a step of Celery's consumer: it shares the worker's connection, event loop and reconnection.

Everything here runs on the loop's thread and never waits for the log store. What the step raises would end the worker, so only errors
of the connection leave it: those make Celery reconnect, and the step starts again on a new channel.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, NoReturn

from amqp.exceptions import RecoverableConnectionError
from celery import bootsteps
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.utils.threads import bound_open_broker_sockets

from common.amqp.topology import Topology, declare
from worker.pulse import Pulse
from worker.service import LogIntake
from worker.subscription import Subscription

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
WATCH_SECONDS = 10.0
# After a failed start on a healthy connection, for example when a queue exists with other properties.
RESTART_SECONDS = 5.0
# What a stopping worker gives a broker that does not answer.
CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Listening:
    """What the step is bound to; `grace` is the time in seconds that it has to finish when the worker stops."""

    intake: LogIntake
    pulse: Pulse
    queue: str
    topology: Topology
    grace: float


class LogListener(bootsteps.ConsumerStep):  # type: ignore[misc]  # celery ships no types
    """Celery makes its steps by itself, so `listener_step` gives it a class that knows its parts."""

    parts: Listening

    def __init__(self, c: Any, **kwargs: Any) -> None:  # noqa: ANN401 - celery ships no types
        """Raises SystemExit under a pool that has no event loop (gevent) or forks beside gRPC's threads (prefork)."""
        super().__init__(c, **kwargs)
        if c.hub is None or isinstance(c.pool, PreforkPool):
            log.critical("pool_not_supported", extra={"hint": "use --pool threads"})
            raise SystemExit(1)
        self._hub = c.hub
        self._channel: Any = None
        self._subscription: Subscription | None = None
        self._timers: list[Any] = []
        self._batch_timer: Any = None
        self._fault: Exception | None = None
        self._watched = (-1, 0)

    def get_consumers(self, channel: Any) -> list[Subscription]:  # noqa: ANN401 - celery ships no types
        self._channel = channel
        declare(channel, self.parts.topology)
        return [Subscription(channel, self.parts.queue, self.parts.intake, observer=self)]

    def start(self, c: Any) -> None:  # noqa: ANN401 - celery ships no types
        """Raises errors of the connection only; after any other the rest of the worker runs on, and this is tried again later."""
        self._cancel_timers()
        self._fault = None
        self.parts.intake.begin(wake=lambda: c.hub.call_soon(self._settle))
        try:
            super().start(c)
        except c.connection_errors:
            raise
        except Exception as error:
            log.exception("listener_not_started", extra={"reason": type(error).__name__, "pause": RESTART_SECONDS})
            if self._channel is not None:
                self._channel.close()
            self._timers = [c.hub.call_later(RESTART_SECONDS, self.start, c)]
            return
        (self._subscription,) = self.consumers
        self._watched = (-1, 0)
        self._timers = [
            c.hub.call_repeatedly(BEAT_SECONDS, self._beat),
            c.hub.call_repeatedly(WATCH_SECONDS, self._watch, c),
        ]
        self.parts.pulse.attached()
        log.info("listener_started", extra={"queue": self.parts.queue})

    def stop(self, c: Any) -> None:  # noqa: ANN401 - celery ships no types
        """Called when the connection is lost, before a new start, and when the worker stops, while the connection still works."""
        self.parts.pulse.detached()
        self._cancel_timers()
        subscription, self._subscription = self._subscription, None
        try:
            if subscription is not None and c.connection is not None:
                bound_open_broker_sockets(c.connection, CLOSE_SECONDS)
                self._finish(subscription)
        except Exception as error:  # noqa: BLE001 - whatever is not settled goes back to the queue with the connection
            log.warning("listener_stopped_late", extra={"reason": type(error).__name__})
        finally:
            self.parts.intake.abandon()

    terminate = stop

    def shutdown(self, c: Any) -> None:  # noqa: ANN401 - celery ships no types
        """Nothing is left to do after `stop`."""

    def _finish(self, subscription: Subscription) -> None:
        """The loop does not run any more; this is its thread."""
        subscription.cancel()
        self.parts.intake.end(self.parts.grace)
        subscription.settle()
        subscription.close()
        log.info("listener_stopped", extra={"returned": self.parts.intake.in_hand()})

    def _settle(self) -> None:
        """A raised error would break the hub's own clean-up, so it waits for the next beat."""
        subscription = self._subscription
        if subscription is None or self._fault is not None:
            return
        try:
            subscription.settle()
            if subscription.paused():
                subscription.adapt()
        except Exception as error:  # noqa: BLE001 - raised by `_beat`
            self._fault = error

    def on_pressed(self) -> None:
        self._hub.call_soon(self._adapt)

    def _adapt(self) -> None:
        if self._subscription is None or self._fault is not None:
            return
        try:
            self._subscription.adapt()
        except Exception as error:  # noqa: BLE001 - raised by `_beat`
            self._fault = error

    def on_cancelled(self) -> None:
        self._fault = RecoverableConnectionError("the broker ended the subscription")

    def _beat(self) -> None:
        self.parts.pulse.beat()
        self._settle()
        if self._fault is not None:
            self._reconnect("channel_lost", self._fault)

    def _watch(self, c: Any) -> None:  # noqa: ANN401 - celery ships no types
        """Two kinds of silence end in a new start: of the broker, and of a thread of our own that does not come back from a call.

        A consumer can stay attached and silent after a restart of the broker (kombu issue 814): messages wait, none comes.
        """
        subscription = self._subscription
        if subscription is None:
            return
        if self.parts.intake.hung():
            self._reconnect("work_stuck", None)
        silent_before, self._watched = (
            self._watched == (subscription.count, 0),
            (subscription.count, self.parts.intake.in_hand()),
        )
        if not silent_before or self._watched != (subscription.count, 0):
            return
        try:
            waiting = subscription.waiting()
        except c.connection_errors:
            raise
        except Exception as error:  # noqa: BLE001 - the queue is gone, or the channel
            self._reconnect("queue_not_found", error)
        if waiting and subscription.count == self._watched[0]:
            self._reconnect("consumer_silent", None)

    def _reconnect(self, why: str, error: Exception | None) -> NoReturn:
        log.warning("listener_reconnects", extra={"why": why, "reason": type(error).__name__ if error else ""})
        raise RecoverableConnectionError(why) from error

    def on_received(self) -> None:
        if self._batch_timer is None and (seconds := self.parts.intake.due_in()) is not None:
            self._batch_timer = self._hub.call_later(max(0.0, seconds), self._on_time)

    def _on_time(self) -> None:
        """One timer for all batches: a batch that left full may have handed it to the next one too early."""
        self._batch_timer = None
        seconds = self.parts.intake.due_in()
        if seconds is not None and seconds <= 0:
            self.parts.intake.flush()
        self.on_received()

    def _cancel_timers(self) -> None:
        for timer in (*self._timers, self._batch_timer):
            if timer is not None:
                timer.cancel()
        self._timers, self._batch_timer = [], None


def listener_step(parts: Listening) -> type[LogListener]:
    return type("BoundLogListener", (LogListener,), {"parts": parts, "__module__": __name__})
