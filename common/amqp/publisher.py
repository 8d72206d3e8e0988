"""A publisher whose `publish` returns only when RabbitMQ has stored and routed the message.

One thread owns one connection. Callers that publish at the same time share a window: their messages go out together and their confirms
come back together, which carries many times what one confirm at a time does. A message that no queue took comes back (`mandatory`),
because a confirm alone does not mean that anything was routed.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import amqp
from kombu import Connection

from common.amqp.topology import Topology, declare
from common.errors import AppError, DeadlineError, TooManyError, UnavailableError

log = logging.getLogger(__name__)

WINDOW = 256
MAX_PENDING = 2_000
CONNECT_SECONDS = 3
HEARTBEAT_SECONDS = 30
# After a failed connection, callers are refused at once for this long instead of each waiting for its own time-out.
REST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Message:
    """`properties` (by py-amqp's names, None for absent) replace the ones set here: for a message that is passed on as it came."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    content_type: str = "application/json"
    headers: Mapping[str, object] = field(default_factory=dict)
    app_id: str = ""
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Waiting:
    message: Message
    deadline: float
    done: threading.Event = field(default_factory=threading.Event)
    error: AppError | None = None

    def finish(self, error: AppError | None = None) -> None:
        if not self.done.is_set():
            self.error = error
            self.done.set()


class Publisher:
    """Thread-safe. `timeout` is the time in seconds that a caller waits for its confirm."""

    def __init__(self, url: str, topology: Topology, *, timeout: float = 5.0) -> None:
        self._url = url
        self._topology = topology
        self._timeout = timeout
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._link: _Link | None = None
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

    def outcomes(self, messages: list[Message]) -> list[AppError | None]:
        """One outcome for each message, in order: None when it is taken, else the error that `publish` would raise.

        Raises UnavailableError or TooManyError when nothing was sent at all.
        """
        deadline = time.monotonic() + self._timeout
        waiting = [_Waiting(message, deadline) for message in messages]
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

    def _attempt(self, batch: list[_Waiting]) -> None:
        try:
            self._send(batch)
        except Exception:
            log.exception("publisher_failed")
            self._disconnect()
            _finish_all(batch, UnavailableError("the message queue cannot be used now"))

    def _take(self) -> list[_Waiting] | None:
        """The next window, empty when it is time to tend the connection, None at the end."""
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(1.0)
            if not self._queue and self._stopping:
                return None
            return [self._queue.popleft() for _ in range(min(WINDOW, len(self._queue)))]

    def _send(self, batch: list[_Waiting]) -> None:
        now = time.monotonic()
        for late in [each for each in batch if each.deadline <= now]:
            late.finish(DeadlineError("the message queue is too slow now; the message was not sent"))
        batch = [each for each in batch if not each.done.is_set()]
        link = self._connected()
        if link is None:
            _finish_all(batch, UnavailableError("the message queue cannot be reached"))
            return
        try:
            link.tend() if not batch else link.send(batch)
        except (OSError, amqp.AMQPError) as error:
            log.warning("amqp_connection_lost", extra={"reason": type(error).__name__})
            self._disconnect()
            _finish_all(link.sent, DeadlineError("the message queue hung up before it confirmed"))
            _finish_all(batch, UnavailableError("the message queue cannot be reached"))

    def _connected(self) -> _Link | None:
        if self._link is not None:
            return self._link
        if time.monotonic() < self._resting_until:
            return None
        try:
            self._link = _Link(self._url, self._topology)
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


def _finish_all(batch: list[_Waiting], error: AppError) -> None:
    for each in batch:
        each.finish(error)


class _Link:
    """One connection with one channel in confirm mode; used by the publisher's thread only."""

    def __init__(self, url: str, topology: Topology) -> None:
        self._connection = Connection(
            url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            # a paused broker accepts bytes and answers nothing: reads and writes give up as well
            transport_options={"read_timeout": 10, "write_timeout": 10},
        )
        try:
            self._channel: Any = self._connection.channel()
            declare(self._channel, topology)
            self._channel.confirm_select()
        except BaseException:
            self.close()
            raise
        self._tag = 0
        # of the window that is under way: what may have been stored even when nothing confirms it
        self.sent: list[_Waiting] = []
        self._unconfirmed: dict[int, _Waiting] = {}
        self._by_id: dict[str, list[_Waiting]] = {}
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)

    @property
    def connected(self) -> bool:
        return bool(self._connection.connected)

    def send(self, batch: list[_Waiting]) -> None:
        """Publishes all, then waits for their confirms; what is not confirmed by its deadline fails as unknown."""
        self.sent = []
        self._hear()
        for each in batch:
            self._tag += 1
            self._unconfirmed[self._tag] = each
            self._by_id.setdefault(each.message.message_id, []).append(each)
            self.sent.append(each)
            self._channel.basic_publish(
                _wire(each.message),
                exchange=each.message.exchange,
                routing_key=each.message.routing_key,
                mandatory=True,
            )
        deadline = max(each.deadline for each in batch)
        while self._unconfirmed:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            try:
                self._connection.drain_events(timeout=remaining)
            except TimeoutError:
                _finish_all(batch, DeadlineError("the message queue did not confirm in time"))
                raise
        self._by_id.clear()

    def _hear(self) -> None:
        """Takes in what has arrived, a lost connection above all, before anything is sent into it."""
        poll = select.poll()
        poll.register(self._connection.connection.sock, select.POLLIN)
        while poll.poll(0):
            self._connection.drain_events(timeout=CONNECT_SECONDS)

    def tend(self) -> None:
        """Keeps an idle connection alive and notices a dead one."""
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0.001)
        self._connection.heartbeat_check()

    def close(self) -> None:
        with suppress(OSError, amqp.AMQPError):
            self._connection.release()

    def _settled(self, tag: int, *, multiple: bool) -> list[_Waiting]:
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(each) for each in tags if each in self._unconfirmed]

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - py-amqp's callback
        for each in self._settled(tag, multiple=multiple):
            each.finish()

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - py-amqp's callback
        for each in self._settled(tag, multiple=multiple):
            each.finish(UnavailableError("the message queue refused the message"))

    def _on_return(self, _error: Exception, _exchange: str, _key: str, message: Any) -> None:  # noqa: ANN401 - amqp ships no types
        """Comes before the ack of the same message, which then finds it already failed."""
        _finish_all(
            self._by_id.get(message.properties.get("message_id"), []), UnavailableError("no queue takes this message")
        )


def _wire(message: Message) -> Any:  # noqa: ANN401 - amqp ships no types
    properties: dict[str, object] = {
        "content_type": message.content_type,
        "content_encoding": "utf-8",
        "timestamp": int(time.time()),
        "app_id": message.app_id,
        **message.properties,
        "delivery_mode": 2,
        "message_id": message.message_id,
        "application_headers": dict(message.headers),
    }
    return amqp.Message(message.body, **properties)
