"""A way to RabbitMQ on which messages to consumers disappear, while everything else passes: a consumer that is attached and silent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from struct import unpack
from types import TracebackType
from typing import Self

# AMQP 0-9-1, section 2.3.5: type, channel and size, then the payload and one octet that ends the frame.
FRAME_HEADER = 7
METHOD, HEADER, BODY = 1, 2, 3
DELIVER = (60, 60)


class Mute:
    """Drops deliveries while `muted` is set; `dropped` counts them."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.muted = threading.Event()
        self.dropped = 0
        threading.Thread(target=self._accept, name="mute", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with self._listener, suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, timeout=5)
                server.settimeout(None)
                threading.Thread(target=self._carry, args=(client, server), name="mute", daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            back = threading.Thread(target=self._filter, args=(server, client), name="mute-back", daemon=True)
            back.start()
            with suppress(OSError):
                while data := client.recv(65536):
                    server.sendall(data)
            _end(client, server)
            back.join()

    def _filter(self, server: socket.socket, client: socket.socket) -> None:
        """Frame by frame: the method of a delivery goes, and with it the header and the bodies that follow on its channel."""
        dropping: set[int] = set()
        with suppress(OSError, ValueError), server.makefile("rb") as stream:
            while head := stream.read(FRAME_HEADER):
                kind, channel, size = unpack(">BHI", head)
                rest = stream.read(size + 1)
                if kind == METHOD:
                    dropping.discard(channel)
                    if self.muted.is_set() and unpack(">HH", rest[:4]) == DELIVER:
                        dropping.add(channel)
                        self.dropped += 1
                if not (channel in dropping and kind in (METHOD, HEADER, BODY)):
                    client.sendall(head + rest)
        _end(client, server)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
