"""The publisher's connection: one channel in confirm mode, and the messages that wait for their confirms on it."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import amqp
from kombu import Connection

from common.amqp.topology import Topology, declare
from common.errors import AppError, DeadlineError, UnavailableError

CONNECT_SECONDS = 3
HEARTBEAT_SECONDS = 30
# A paused broker accepts bytes and answers nothing: reads and writes give up as well. The driver's own TCP_USER_TIMEOUT of one second
# would end the connection while the broker's flow control only reads nothing for a while; it is in milliseconds.
_USER_TIMEOUT = {socket.TCP_USER_TIMEOUT: 10_000} if hasattr(socket, "TCP_USER_TIMEOUT") else {}
TRANSPORT_OPTIONS = {"read_timeout": 10, "write_timeout": 10, "socket_settings": _USER_TIMEOUT}
WRITE_BYTES = 256 * 1024
# A look at the socket that does not wait.
GLANCE_SECONDS = 0.001


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
class Waiting:
    message: Message
    deadline: float
    done: threading.Event = field(default_factory=threading.Event)
    error: AppError | None = None

    def finish(self, error: AppError | None = None) -> None:
        if not self.done.is_set():
            self.error = error
            self.done.set()


def finish_all(batch: list[Waiting], error: AppError) -> None:
    for each in batch:
        each.finish(error)


class Link:
    """One connection with one channel in confirm mode; used by the publisher's thread only."""

    def __init__(self, url: str, topology: Topology) -> None:
        self._connection = Connection(
            url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            transport_options=dict(TRANSPORT_OPTIONS),
        )
        try:
            # without this, kombu makes its callers wait two seconds for a second attempt
            self._connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            self._channel: Any = self._connection.channel()
            declare(self._channel, topology)
            self._channel.confirm_select()
        except BaseException:
            self.close()
            raise
        self._tag = 0
        # of the window that is under way: what may have been stored even when nothing confirms it
        self.sent: list[Waiting] = []
        self._unconfirmed: dict[int, Waiting] = {}
        self._by_id: dict[str, list[Waiting]] = {}
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)

    @property
    def connected(self) -> bool:
        return bool(self._connection.connected)

    def send(self, batch: list[Waiting]) -> None:
        """Publishes all, then waits for their confirms; what is not confirmed by its deadline fails as unknown."""
        self.sent = []
        self._hear()
        with self._together():
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
                finish_all(batch, DeadlineError("the message queue did not confirm in time"))
                raise
        self._by_id.clear()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """What is published in here leaves in few writes: the driver's own, one for each message, costs as much as the message."""
        transport = self._connection.connection.transport
        at_once = transport._write  # noqa: SLF001 - the driver has no other place to hold bytes back
        parts: list[bytes] = []
        size = 0

        def hold(data: Any) -> None:  # noqa: ANN401 - a view of the driver's own buffer, which the next message overwrites
            nonlocal size
            parts.append(bytes(data))
            size += len(data)
            if size >= WRITE_BYTES:
                at_once(b"".join(parts))
                parts.clear()
                size = 0

        transport._write = hold  # noqa: SLF001 - see above
        try:
            yield
        finally:
            transport._write = at_once  # noqa: SLF001 - see above
        transport.write(b"".join(parts))

    def _hear(self) -> None:
        """Takes in what has arrived, a lost connection above all, before anything is sent into it."""
        poll = select.poll()
        poll.register(self._connection.connection.sock, select.POLLIN)
        while poll.poll(0):
            # not for long: a heartbeat is no event, so after one alone the driver would wait for the next frame
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=GLANCE_SECONDS)

    def tend(self) -> None:
        """Keeps an idle connection alive and notices a dead one."""
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=GLANCE_SECONDS)
        self._connection.heartbeat_check()

    def close(self) -> None:
        with suppress(OSError, amqp.AMQPError):
            self._connection.release()

    def _settled(self, tag: int, *, multiple: bool) -> list[Waiting]:
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
        finish_all(
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
