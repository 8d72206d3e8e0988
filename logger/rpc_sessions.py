"""One connection to the TCP port: the codec is told by the first bytes, then calls are answered in groups as they arrive."""

from __future__ import annotations

from collections.abc import Iterator

from common.rpc.calls import CallError, StreamError
from common.rpc.jsonrpc import Batch, Request, RequestDecoder, reply_batch, reply_error, reply_ok, struct_fields
from common.rpc.tcp_server import Exchange, Session
from logger.rpc_methods import METHODS, PAYLOAD, RpcCall, RpcMethods


class SniffingSession:
    """Waits for the two bytes that tell gob from JSON, then hands the connection over."""

    def __init__(self, methods: RpcMethods) -> None:
        self._methods = methods
        self._head = b""
        self._session: Session | None = None

    @property
    def buffered(self) -> int:
        return len(self._head) if self._session is None else self._session.buffered

    def take(self, data: bytes) -> Exchange:
        if self._session is None:
            self._head += data
            if len(self._head) < 2:
                return Exchange()
            data = self._head
            self._session = JsonSession(self._methods)
        return self._session.take(data)


class JsonSession:
    """JSON-RPC 1.0 as Go's net/rpc/jsonrpc speaks it, and 2.0 for callers that ask for it."""

    def __init__(self, methods: RpcMethods) -> None:
        self._methods = methods
        self._decoder = RequestDecoder()

    @property
    def buffered(self) -> int:
        return self._decoder.buffered

    def take(self, data: bytes) -> Exchange:
        messages: list[Request | Batch] = []
        try:
            messages.extend(self._decoder.feed(data))
        except StreamError as error:
            return Exchange(self._answers(messages) + error.answer, closing=True)
        return Exchange(self._answers(messages))

    def _answers(self, messages: list[Request | Batch]) -> bytes:
        requests = [request for message in messages for request in _requests(message)]
        replies = iter(self._replies(requests))
        return b"".join(
            reply_batch([next(replies) for _ in message.requests]) if isinstance(message, Batch) else next(replies)
            for message in messages
        )

    def _replies(self, requests: list[Request]) -> list[bytes]:
        prepared = [_prepared(request) for request in requests]
        answers = iter(self._methods.call_many([call for call in prepared if isinstance(call, RpcCall)]))
        return [
            _reply(request, next(answers) if isinstance(call, RpcCall) else call)
            for request, call in zip(requests, prepared, strict=True)
        ]


def _requests(message: Request | Batch) -> Iterator[Request]:
    if isinstance(message, Batch):
        yield from message.requests
    else:
        yield message


def _prepared(request: Request) -> RpcCall | CallError:
    try:
        request.check(METHODS)
        return RpcCall(request.method, struct_fields(request, PAYLOAD))
    except CallError as error:
        return error


def _reply(request: Request, answer: str | CallError) -> bytes:
    if isinstance(answer, CallError):
        return reply_error(request, answer.text, code=answer.code)
    return reply_ok(request, answer)
