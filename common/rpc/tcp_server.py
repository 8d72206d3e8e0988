"""A TCP server with one thread per connection, bounded in number, idle time and unfinished input; what is spoken is the session's business."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
TICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """What to send back, and whether the connection ends then."""

    reply: bytes = b""
    closing: bool = False


class Session(Protocol):
    """One connection's conversation."""

    @property
    def buffered(self) -> int:
        """Bytes of a message that has begun and not ended."""

    def take(self, data: bytes) -> Exchange: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. `message`: how long a begun message may take to arrive whole; `grace`: what running calls get at the stop."""

    connections: int = 512
    idle: float = 600.0
    message: float = 10.0
    send: float = 10.0
    grace: float = 5.0


class TcpServer:
    def __init__(
        self,
        host: str,
        port: int,
        new_session: Callable[[], Session],
        *,
        limits: Limits | None = None,
        shared: bool = False,
    ) -> None:
        """`shared`: several processes of one service may bind the port, and the kernel spreads the connections (SO_REUSEPORT)."""
        self._shared = shared
        self._address = (host, port)
        self._new_session = new_session
        self._limits = limits or Limits()
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._accepting: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port in use; differs from the wish when that was 0."""
        assert self._listener is not None, "not started"  # noqa: S101 - a programming error, not input
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Raises OSError when the port is taken."""
        self._listener = socket.create_server(self._address, backlog=512, reuse_port=self._shared)
        self._accepting = threading.Thread(target=self._accept, name="tcp-accept", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """No new connections; those that are open finish what they have received, within the grace."""
        self._stopping.set()
        if self._listener is not None:
            # close() alone does not wake a thread that is blocked in accept()
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._lock:
            threads = dict(self._threads)
        for connection in threads.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        end = time.monotonic() + self._limits.grace
        for thread in filter(threading.Thread.is_alive, threads):
            thread.join(max(0.0, end - time.monotonic()))

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()  # type: ignore[union-attr]  # set by start
            except OSError:
                if self._stopping.is_set():
                    return
                # out of file descriptors, most likely: the connections that are open go on
                log.exception("tcp_accept_failed")
                self._stopping.wait(0.1)
                continue
            self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), name="tcp-connection", daemon=True)
        with self._lock:
            full = len(self._threads) >= self._limits.connections
            if not full:
                self._threads[thread] = connection
        if full:
            log.warning("tcp_connection_refused", extra={"reason": "too many connections"})
            connection.close()
            return
        try:
            thread.start()
        except RuntimeError:  # no more threads to be had: the connections that are open go on
            log.exception("tcp_connection_refused")
            with self._lock:
                self._threads.pop(thread, None)
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                connection.settimeout(TICK_SECONDS)
                self._converse(connection, self._new_session())
        except OSError as error:
            log.debug("tcp_connection_lost", extra={"reason": type(error).__name__})
        except Exception:
            log.exception("tcp_connection_failed")
        finally:
            with self._lock:
                self._threads.pop(threading.current_thread(), None)

    def _converse(self, connection: socket.socket, session: Session) -> None:
        heard = time.monotonic()
        begun: float | None = None
        while True:
            data = _receive(connection)
            now = time.monotonic()
            if data == b"":
                return
            if data:
                heard = now
                exchange = session.take(data)
                self._send(connection, exchange.reply)
                if exchange.closing:
                    return
                if not session.buffered:
                    begun = None
                elif begun is None or exchange.reply:
                    begun = now
            if begun is not None and now - begun > self._limits.message:
                log.info("tcp_connection_closed", extra={"reason": "unfinished message"})
                return
            if now - heard > self._limits.idle:
                log.info("tcp_connection_closed", extra={"reason": "idle"})
                return

    def _send(self, connection: socket.socket, reply: bytes) -> None:
        if reply:
            connection.settimeout(self._limits.send)
            connection.sendall(reply)
            connection.settimeout(TICK_SECONDS)


def _receive(connection: socket.socket) -> bytes | None:
    """What has arrived; empty at the end of the stream, None when nothing came within a tick."""
    try:
        return connection.recv(READ_BYTES)
    except TimeoutError:
        return None
