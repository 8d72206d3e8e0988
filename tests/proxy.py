"""A TCP proxy between two parts, so that a test can cut them off from each other as a broken network would."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

TICK_SECONDS = 0.05


class Proxy:
    """Passes bytes to `target` until `cut` (every byte is held back and nobody is told) or `reset` (connections end at once)."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def cut(self) -> None:
        """Bytes stop in both directions, as behind a pulled cable; new connections open and stay silent."""
        self._flowing.clear()

    def restore(self) -> None:
        self._flowing.set()

    def reset(self) -> None:
        """Ends all connections that are open."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def inject(self, data: bytes) -> None:
        """Sends `data` to every client, as if the far side had."""
        with self._lock:
            for client, _ in self._pairs:
                client.sendall(data)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=2)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server), name="proxy-pump", daemon=True).start()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, client, server:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            with suppress(OSError):
                while not self._closing.is_set():
                    for key, _ in selector.select(TICK_SECONDS):
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # a socket
                        if not self._flows() or not data:
                            return
                        key.data.sendall(data)
        with self._lock:
            self._pairs = [pair for pair in self._pairs if pair[0] is not client]

    def _flows(self) -> bool:
        """Waits while the proxy is cut; False when it closes meanwhile."""
        while not self._flowing.wait(TICK_SECONDS):
            if self._closing.is_set():
                return False
        return True
