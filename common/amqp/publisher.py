"""A publisher whose `publish` returns only when RabbitMQ has stored and routed the message.

One thread owns one connection. Callers that publish at the same time share a window: their messages go out together and their confirms
come back together, which carries many times what one confirm at a time does. A message that no queue took comes back (`mandatory`),
because a confirm alone does not mean that anything was routed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

import amqp

from common.amqp.link import Link, Message, Waiting, finish_all
from common.amqp.topology import Topology
from common.errors import AppError, DeadlineError, TooManyError, UnavailableError

log = logging.getLogger(__name__)

WINDOW = 256
MAX_PENDING = 2_000
# After a failed connection, callers are refused at once for this long instead of each waiting for its own time-out.
REST_SECONDS = 1.0


class Publisher:
    """Thread-safe. `timeout` is the time in seconds that a caller waits for its confirm."""

    def __init__(self, url: str, topology: Topology, *, timeout: float = 5.0) -> None:
        self._url = url
        self._topology = topology
        self._timeout = timeout
        self._queue: deque[Waiting] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._link: Link | None = None
        self._resting_until = 0.0

    def start(self) -> None:
        """Call after the fork."""
        self._thread = threading.Thread(target=self._run, name="amqp-publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sends what waits, then closes the connection; gives up after the publish time-out."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread:
            self._thread.join(self._timeout + 1)

    def publish(self, message: Message) -> None:
        """Returns when the broker has taken and routed the message.

        Raises UnavailableError (not stored), DeadlineError (unknown whether stored) or TooManyError (refused before sending).
        """
        self.publish_many([message])

    def publish_many(self, messages: list[Message]) -> None:
        """As `publish`, for all; the first failure is raised after every message has its outcome."""
        for error in self.outcomes(messages):
            if error is not None:
                raise error

    def outcomes(self, messages: list[Message], *, timeout: float | None = None) -> list[AppError | None]:
        """One outcome for each message, in order: None when it is taken, else the error that `publish` would raise.

        `timeout` (seconds) replaces the publisher's own for this call. Raises UnavailableError or TooManyError when nothing was sent at all.
        """
        deadline = time.monotonic() + (timeout or self._timeout)
        waiting = [Waiting(message, deadline) for message in messages]
        with self._wake:
            if self._stopping or self._thread is None:
                raise UnavailableError("the message queue is not in use now")
            if len(self._queue) + len(waiting) > MAX_PENDING:
                raise TooManyError("too many messages wait for the message queue")
            self._queue.extend(waiting)
            self._wake.notify()
        for each in waiting:
            if not each.done.wait(max(0.0, deadline + 0.5 - time.monotonic())):
                each.finish(DeadlineError("the message queue did not confirm in time"))
        return [each.error for each in waiting]

    def check(self) -> None:
        """For readiness: raises UnavailableError unless the connection is up (it is made by this call's own wake-up at the latest)."""
        with self._wake:
            self._wake.notify()
        if self._link is None or not self._link.connected:
            raise UnavailableError("not connected")

    def _run(self) -> None:
        self._attempt([])  # connect now, before the first message or the first look of a readiness probe
        while (batch := self._take()) is not None:
            self._attempt(batch)
        self._disconnect()

    def _attempt(self, batch: list[Waiting]) -> None:
        try:
            self._send(batch)
        except Exception:
            log.exception("publisher_failed")
            self._disconnect()
            finish_all(batch, UnavailableError("the message queue cannot be used now"))

    def _take(self) -> list[Waiting] | None:
        """The next window, empty when it is time to tend the connection, None at the end."""
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(1.0)
            if not self._queue and self._stopping:
                return None
            return [self._queue.popleft() for _ in range(min(WINDOW, len(self._queue)))]

    def _send(self, batch: list[Waiting]) -> None:
        now = time.monotonic()
        for late in [each for each in batch if each.deadline <= now]:
            late.finish(DeadlineError("the message queue is too slow now; the message was not sent"))
        batch = [each for each in batch if not each.done.is_set()]
        link = self._connected()
        if link is None:
            finish_all(batch, UnavailableError("the message queue cannot be reached"))
            return
        try:
            link.tend() if not batch else link.send(batch)
        except (OSError, amqp.AMQPError) as error:
            log.warning("amqp_connection_lost", extra={"reason": type(error).__name__})
            self._disconnect()
            finish_all(link.sent, DeadlineError("the message queue hung up before it confirmed"))
            finish_all(batch, UnavailableError("the message queue cannot be reached"))

    def _connected(self) -> Link | None:
        if self._link is not None:
            return self._link
        if time.monotonic() < self._resting_until:
            return None
        try:
            self._link = Link(self._url, self._topology)
        except (OSError, amqp.AMQPError) as error:
            log.warning("amqp_connect_failed", extra={"reason": type(error).__name__})
            self._resting_until = time.monotonic() + REST_SECONDS
            return None
        log.info("amqp_connected")
        return self._link

    def _disconnect(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
