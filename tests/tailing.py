"""Readers of the live tail: Server-Sent Events as a client sees them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

PATH = "/api/v1/logs/tail"


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is "message" for an entry. `at`: when it came, on the clock of time.perf_counter."""

    id: str
    name: str
    data: Any
    at: float


class Stream:
    """One connection, read by hand. `last_id` is what a browser would send when it comes back."""

    def __init__(
        self, base: str, *, last_id: str = "", receive_buffer: int = 0, timeout: float = 40, **filters: str
    ) -> None:
        parts = urlsplit(base)
        self.last_id = last_id
        self.comments = 0
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        query = urlencode({name.replace("__", "."): value for name, value in filters.items()})
        try:
            self._socket.connect((parts.hostname, parts.port))
            self._connection.sock = self._socket
            self._connection.request("GET", f"{PATH}?{query}", headers=headers)
            self.answer = self._connection.getresponse()
        except BaseException:
            self._socket.close()
            raise
        self.status = self.answer.status

    def events(self) -> Iterator[Event]:
        """Until the stream ends or breaks. An id counts from the end of its event on, as the standard says."""
        name, data, last_id = "message", "", self.last_id
        while line := self._line():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "id":
                last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data += value
            elif line.startswith(b":"):
                self.comments += 1
            elif line == b"\n":
                self.last_id = last_id
                if data:
                    yield Event(last_id, name, json.loads(data), time.perf_counter())
                name, data = "message", ""

    def _line(self) -> bytes:
        """Empty at the end, however it comes."""
        try:
            return self.answer.readline()
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return b""

    def until(self, name: str) -> list[Event]:
        """The events up to the first one of this name."""
        found = []
        for event in self.events():
            found.append(event)
            if event.name == name:
                return found
        raise AssertionError(f"the stream ended before {name}: {found[-3:]}")

    def take(self, count: int) -> list[Event]:
        """The next `count` entries; what else there is between them is passed over."""
        found: list[Event] = []
        for event in self.events() if count else ():
            if event.name == "message":
                found.append(event)
                if len(found) == count:
                    break
        return found

    def hang_up(self) -> None:
        """At once, whoever reads it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._connection.close()


class Follower:
    """A reader in a thread that comes back whenever its stream ends, as a browser does, with the id of its last event."""

    def __init__(self, base: str, **filters: str) -> None:
        self._base = base
        self._filters = filters
        self.events: list[Event] = []
        self.connections = 0
        self._stream: Stream | None = None
        self._last_id = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def names(self) -> list[str]:
        return [event.data["name"] for event in self.events if event.name == "message"]

    def is_live(self) -> bool:
        return any(event.name == "live" for event in self.events)

    def drop(self) -> None:
        if self._stream is not None:
            self._stream.hang_up()

    def stop(self) -> None:
        self._stopped.set()
        self.drop()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                stream = Stream(self._base, last_id=self._last_id, **self._filters)
            except (OSError, http.client.HTTPException):
                self._stopped.wait(0.05)
                continue
            if stream.status == 200:
                self._stream = stream
                self.connections += 1
                for event in stream.events():
                    self.events.append(event)
                self._last_id = stream.last_id
            else:
                self._stopped.wait(0.05)
            stream.hang_up()


def arrivals(base: str, count: int, *, tag: str) -> list[float]:
    """Seconds from the acknowledgement of an entry until it is at a reader, for each of `count` entries written one after another.

    Both through `base`. Less than nothing where the entry was there before its acknowledgement.
    """
    stream = Stream(base, history="0", name=tag)
    stream.until("live")
    came: dict[str, float] = {}

    def read() -> None:
        for event in stream.events():
            came[event.data["data"]] = event.at
            if len(came) == count:
                return

    reader = threading.Thread(target=read)
    reader.start()
    acknowledged = {}
    with requests.Session() as session:
        for number in range(count):
            reply = session.post(f"{base}/api/v1/logs", json={"name": tag, "data": str(number)}, timeout=15)
            acknowledged[str(number)] = time.perf_counter()
            assert reply.status_code == 201, reply.text
    reader.join(20)
    stream.hang_up()
    return [came[number] - moment for number, moment in acknowledged.items()]
