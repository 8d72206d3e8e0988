"""JSON-RPC calls over pooled TCP connections, as Go's net/rpc/jsonrpc speaks it; one call at a time on each connection."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from common.errors import BadReplyError, DeadlineError, UnavailableError
from common.rpc.calls import StreamError
from common.rpc.jsonrpc import Reply, ReplyDecoder, encode_call

CONNECT_SECONDS = 3.0
IDLE_CONNECTIONS = 64
READ_BYTES = 64 * 1024


class _Connection:
    def __init__(self, address: tuple[str, int], seconds: float) -> None:
        self._socket = socket.create_connection(address, timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = ReplyDecoder()
        self._next_id = 0

    def call(self, method: str, params: Mapping[str, object], deadline: float) -> Reply:
        """Raises OSError (TimeoutError at the deadline), EOFError when the far side closes, StreamError on garbage."""
        call_id, self._next_id = self._next_id, self._next_id + 1
        self._socket.settimeout(_remaining(deadline))
        self._socket.sendall(encode_call(call_id, method, params))
        while True:
            self._socket.settimeout(_remaining(deadline))
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise EOFError
            for reply in self._decoder.feed(data):
                if reply.id == call_id:
                    return reply

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

    def call(self, method: str, params: Mapping[str, object]) -> Reply:
        """The reply, which may hold the far side's own error text.

        A call on a kept connection that turns out dead is made once more on a new one, so `params` must carry an identity
        that makes it harmless to repeat. Raises UnavailableError, DeadlineError or BadReplyError.
        """
        deadline = time.monotonic() + self._timeout
        kept = self._kept()
        if kept is not None:
            try:
                return self._call_on(kept, method, params, deadline)
            except TimeoutError as error:
                raise DeadlineError(f"{self.name} did not answer in time") from error
            except (EOFError, OSError):
                pass
        try:
            fresh = _Connection(self._address, min(CONNECT_SECONDS, _remaining(deadline)))
        except OSError as error:
            raise UnavailableError(f"{self.name} cannot be reached") from error
        try:
            return self._call_on(fresh, method, params, deadline)
        except TimeoutError as error:
            raise DeadlineError(f"{self.name} did not answer in time") from error
        except (EOFError, OSError) as error:
            # the call may have been carried out: that is not known, which is not the same as not done
            raise DeadlineError(f"{self.name} hung up before it answered") from error

    def _call_on(self, connection: _Connection, method: str, params: Mapping[str, object], deadline: float) -> Reply:
        try:
            reply = connection.call(method, params, deadline)
        except StreamError as error:
            connection.close()
            raise BadReplyError(f"{self.name} gave an answer that is not JSON-RPC") from error
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return reply

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
