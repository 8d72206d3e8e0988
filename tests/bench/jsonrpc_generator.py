"""A load generator for JSON-RPC: raw sockets, prepared bytes, many calls in flight on each connection.

    python -m tests.bench.jsonrpc_generator HOST:PORT CONNECTIONS SECONDS TAG

Prints one JSON object. Runs in a process of its own, so that its work is not mistaken for the server's.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

from tests.bench.doors import entry
from tests.bench.figures import of_latencies
from tests.bench.wrk import MARK

# Calls in flight on each connection.
WINDOW = 16
_CHUNK = 262_144
_DRAIN_SECONDS = 10.0
_OK = b'"error":null'


@dataclass(slots=True)
class Connection:
    """One socket, and the calls on it that wait for an answer, by id."""

    peer: socket.socket
    sent: dict[int, float] = field(default_factory=dict)
    rest: bytes = b""

    def answers(self) -> list[bytes]:
        """Whole answers that have arrived. Raises ConnectionError at the end of the stream."""
        data = self.peer.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server closed the connection")
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines


class Generator:
    def __init__(self, address: str, connections: int, tag: str) -> None:
        host, _, port = address.rpartition(":")
        self._template = _call(tag)
        self._selector = selectors.DefaultSelector()
        self._count = 0
        self._latencies: list[float] = []
        self._errors = 0
        self._open = [Connection(socket.create_connection((host, int(port)), timeout=10)) for _ in range(connections)]
        for connection in self._open:
            connection.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection.peer, selectors.EVENT_READ, connection)

    def run(self, seconds: float) -> dict[str, float]:
        """Sends for `seconds`, then waits for what is still under way; only answers within `seconds` count for the rate."""
        began = time.perf_counter()
        for connection in self._open:
            self._send(connection, WINDOW)
        self._until(began + seconds, go_on=True)
        taken, within = time.perf_counter() - began, len(self._latencies)
        measured = sorted(self._latencies)
        self._until(time.perf_counter() + _DRAIN_SECONDS, go_on=False)
        for connection in list(self._open):
            self._give_up(connection)
        self._selector.close()
        told = of_latencies(measured, acknowledged=within, seconds=taken, errors=self._errors)
        return told | {"acknowledged_in_all": len(self._latencies)}

    def _until(self, end: float, *, go_on: bool) -> None:
        while self._open and time.perf_counter() < end and (go_on or any(each.sent for each in self._open)):
            for key, _ in self._selector.select(timeout=0.2):
                self._read(key.data, go_on=go_on)

    def _read(self, connection: Connection, *, go_on: bool) -> None:
        try:
            lines = connection.answers()
        except OSError:
            self._give_up(connection)
            return
        now = time.perf_counter()
        for line in lines:
            began = connection.sent.pop(_id_of(line), None)
            if began is not None and _OK in line:
                self._latencies.append(now - began)
            else:
                self._errors += 1
        if go_on:
            self._send(connection, len(lines))

    def _send(self, connection: Connection, count: int) -> None:
        first, self._count = self._count + 1, self._count + count
        numbers = range(first, self._count + 1)
        now = time.perf_counter()
        connection.sent.update(dict.fromkeys(numbers, now))
        try:
            connection.peer.sendall(b"".join([self._template % (number, number, number) for number in numbers]))
        except OSError:
            self._give_up(connection)

    def _give_up(self, connection: Connection) -> None:
        """What it still has under way counts as failed."""
        if connection in self._open:
            self._open.remove(connection)
            self._selector.unregister(connection.peer)
            self._errors += len(connection.sent)
            connection.peer.close()


def _call(tag: str) -> bytes:
    fields = {name.capitalize(): value for name, value in entry(f"{tag}-{MARK}").items()}
    call = {"method": "RPCServer.LogInfo", "params": [fields], "id": 0}
    text = json.dumps(call, separators=(",", ":")).replace(MARK, "%010d").replace('"id":0', '"id":%d')
    return text.encode() + b"\n"


def _id_of(line: bytes) -> int:
    """Of an answer as Go writes it, with the id first; -1 when it is another."""
    start, end = line.find(b'"id":') + 5, line.find(b",")
    try:
        return int(line[start:end])
    except ValueError:
        return -1


def main(arguments: list[str]) -> None:
    address, connections, seconds, tag = arguments
    sys.stdout.write(json.dumps(Generator(address, int(connections), tag).run(float(seconds))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
