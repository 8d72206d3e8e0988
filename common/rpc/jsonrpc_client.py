"""JSON-RPC calls over pooled TCP connections, as Go's net/rpc/jsonrpc speaks it: many calls in flight, one caller on a connection."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from common.errors import AppError, BadReplyError, DeadlineError, UnavailableError
from common.rpc.calls import StreamError
from common.rpc.jsonrpc import Reply, ReplyDecoder, encode_call

CONNECT_SECONDS = 3.0
IDLE_CONNECTIONS = 64
READ_BYTES = 64 * 1024

Params = Mapping[str, object]


class _Connection:
    def __init__(self, address: tuple[str, int], seconds: float) -> None:
        self._socket = socket.create_connection(address, timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = ReplyDecoder()
        self._next_id = 0

    def call(self, method: str, calls: Mapping[int, Params], replies: dict[int, Reply], deadline: float) -> None:
        """Puts the reply to each of `calls` into `replies` as it comes, under the same number.

        Raises OSError (TimeoutError at the deadline), EOFError when the far side closes, StreamError on garbage.
        """
        first, self._next_id = self._next_id, self._next_id + len(calls)
        waiting = dict(zip(range(first, self._next_id), calls, strict=True))
        lines = [encode_call(call_id, method, calls[number]) for call_id, number in waiting.items()]
        unsent = self._send(lines[0] if len(lines) == 1 else b"".join(lines))
        while waiting:
            if unsent:
                unsent = self._send_on(unsent, deadline)
            self._socket.settimeout(_remaining(deadline))
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise EOFError
            for reply in self._decoder.feed(data):
                if reply.id in waiting:
                    replies[waiting.pop(reply.id)] = reply

    def _send(self, data: bytes | memoryview) -> memoryview:
        """Sends what the socket takes at once; the rest."""
        view = memoryview(data)
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while view:
                view = view[self._socket.send(view) :]
        return view

    def _send_on(self, unsent: memoryview, deadline: float) -> memoryview:
        """Sends until there is something to read: a far side that waits for its answers to be read reads no calls meanwhile."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLOUT)
        while unsent:
            ready = poll.poll(_remaining(deadline) * 1000)
            if any(events & ~select.POLLOUT for _, events in ready):
                break
            unsent = self._send(unsent)
        return unsent

    @property
    def stale(self) -> bool:
        """Something to read on an idle connection is its end, or an answer that nobody waits for."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class JsonRpcClient:
    """Thread-safe. Each call ends within `timeout` seconds, connecting included."""

    def __init__(self, name: str, address: str, *, timeout: float) -> None:
        host, _, port = address.rpartition(":")
        self.name = name
        self._address = (host, int(port))
        self._timeout = timeout
        self._idle: deque[_Connection] = deque(maxlen=IDLE_CONNECTIONS)
        self._lock = threading.Lock()

    def call(self, method: str, params: Params) -> Reply:
        """The reply, which may hold the far side's own error text. As `call_many`, with the one error raised."""
        (reply,) = self.call_many(method, [params])
        if isinstance(reply, AppError):
            raise reply
        return reply

    def call_many(self, method: str, calls: Sequence[Params]) -> list[Reply | AppError]:
        """One reply for each of the params, in order, all sent before the first reply is waited for.

        When the connection is lost, what is unanswered is sent once more on a new one, so all params must carry an identity that makes
        it harmless to repeat them. A call without a reply has a DeadlineError (unknown whether carried out) or a BadReplyError in its
        place. Raises UnavailableError when nothing was sent at all.
        """
        deadline = time.monotonic() + self._timeout
        replies: dict[int, Reply] = {}
        failure = self._attempt(method, calls, replies, deadline)
        if failure is None:
            return [replies[number] for number in range(len(calls))]
        return [replies.get(number, failure) for number in range(len(calls))]

    def _attempt(
        self, method: str, calls: Sequence[Params], replies: dict[int, Reply], deadline: float
    ) -> AppError | None:
        """Fills `replies`; what the calls that are still without one failed of."""
        connection = self._kept()
        for sent in (False, True):
            if connection is None:
                try:
                    connection = _Connection(self._address, min(CONNECT_SECONDS, _remaining(deadline)))
                except OSError as error:
                    if sent:
                        break
                    raise UnavailableError(f"{self.name} cannot be reached") from error
            unanswered = {number: params for number, params in enumerate(calls) if number not in replies}
            try:
                self._call_on(connection, method, unanswered, replies, deadline)
            except TimeoutError:
                return DeadlineError(f"{self.name} did not answer in time")
            except StreamError:
                return BadReplyError(f"{self.name} gave an answer that is not JSON-RPC")
            except (EOFError, OSError):
                connection = None
            else:
                return None
        # the calls may have been carried out: that is not known, which is not the same as not done
        return DeadlineError(f"{self.name} hung up before it answered")

    def _call_on(
        self,
        connection: _Connection,
        method: str,
        calls: Mapping[int, Params],
        replies: dict[int, Reply],
        deadline: float,
    ) -> None:
        try:
            connection.call(method, calls, replies, deadline)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)

    def _kept(self) -> _Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not connection.stale:
                return connection
            connection.close()

    def _keep(self, connection: _Connection) -> None:
        with self._lock:
            if len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = list(self._idle), deque(maxlen=IDLE_CONNECTIONS)
        for connection in idle:
            connection.close()
