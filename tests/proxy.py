"""A TCP proxy between two parts, so that a test can cut them off from each other as a broken network would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CHUNK = 65536
CONNECT_SECONDS = 5

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One connection: the client's end, the server's end, and the port that the client calls from."""

    client: socket.socket
    server: socket.socket
    client_port: int

    def end(self) -> None:
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Passes bytes to `target` until `cut` (bytes are held back and nobody is told) or `reset` (connections end at once).

    `target` may be a function, asked at each connection, for a server whose address is not known yet.
    """

    def __init__(self, target: Address | Callable[[], Address], *, port: int = 0) -> None:
        self._target = target if callable(target) else lambda: target
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self._change = threading.Condition()
        self._cut: Callable[[int], bool] | None = None
        self._closing = False
        self._pairs: set[Pair] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def address(self) -> Address:
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def cut(self, whose: Callable[[int], bool] = lambda _port: True) -> None:
        """Bytes stop in both directions, as behind a pulled cable; new connections open and stay silent.

        `whose` tells by the port that a client calls from whether it is cut off; all are, unless told otherwise.
        """
        with self._change:
            self._cut = whose

    def restore(self) -> None:
        """What was held back arrives now, also from those who have given up meanwhile."""
        with self._change:
            self._cut = None
            self._change.notify_all()

    def reset(self) -> None:
        """Ends all connections that are open."""
        with self._change:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.end()

    def inject(self, data: bytes) -> None:
        """Sends `data` to every client, as if the far side had."""
        with self._change:
            for pair in self._pairs:
                pair.client.sendall(data)

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, (_, port) = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, port), name="proxy-pump", daemon=True).start()

    def _serve(self, client: socket.socket, port: int) -> None:
        with client:
            try:
                server = socket.create_connection(self._target(), timeout=CONNECT_SECONDS)
            except OSError:
                return
            with server:
                server.settimeout(None)
                for side in (client, server):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._join(Pair(client, server, port))

    def _join(self, pair: Pair) -> None:
        with self._change:
            self._pairs.add(pair)
        # both directions at once: neither waits when the other is full
        back = threading.Thread(
            target=self._pump, args=(pair, pair.server, pair.client), name="proxy-pump", daemon=True
        )
        back.start()
        self._pump(pair, pair.client, pair.server)
        back.join()
        with self._change:
            self._pairs.discard(pair)

    def _pump(self, pair: Pair, source: socket.socket, sink: socket.socket) -> None:
        """Until `source` has ended, which `sink` is told; a connection that breaks on one side breaks on the other."""
        try:
            while data := source.recv(CHUNK):
                self._wait_for_way(pair)
                sink.sendall(data)
            self._wait_for_way(pair)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pair.end()

    def _wait_for_way(self, pair: Pair) -> None:
        with self._change:
            while not self._closing and self._cut is not None and self._cut(pair.client_port):
                self._change.wait()
