"""Celery's consumer with the two things that fit this system badly changed.

It waits up to 30 s between tries to reconnect, and it declares 28 queues for delayed tasks as soon as a task queue is a quorum queue;
delays are queues with a time to live here.
"""

from __future__ import annotations

import logging
import random
import time
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

log = logging.getLogger(__name__)

PAUSE_STEP = 0.5
LONGEST_PAUSE = 5.0
# How long a broker that refuses the worker (wrong password, unknown virtual host) is left alone.
REFUSED_PAUSE = 3


class PatientConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]  # celery ships no types
        default_steps = [step for step in Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")]  # noqa: RUF012 - as in the base class

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401 - kombu ships no types
        """A connected `conn`, tried for as long as the worker runs; a stop signal ends it."""
        connected = conn.ensure_connection(
            lambda error, pause: log.warning(
                "rabbitmq_not_reached", extra={"reason": type(error).__name__, "pause": round(pause, 1)}
            ),
            None,
            interval_start=random.uniform(0.1, PAUSE_STEP),  # noqa: S311 - spreads retries, guards nothing
            interval_step=PAUSE_STEP,
            interval_max=LONGEST_PAUSE,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return connected

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Reached only by errors that `ensure_connected` does not try again."""
        log.error("rabbitmq_refused", extra={"reason": type(exc).__name__})
        for _ in range(REFUSED_PAUSE):
            maybe_shutdown()
            time.sleep(1)
