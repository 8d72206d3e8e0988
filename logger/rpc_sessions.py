"""One connection to the TCP port: the codec is told by the first bytes, then calls are answered in groups as they arrive."""

from __future__ import annotations

from collections.abc import Iterator

from common.rpc import gob, jsonrpc
from common.rpc.calls import CallError, StreamError, sniff
from common.rpc.tcp_server import Exchange, Session
from logger.rpc_methods import LOG_BATCH, METHODS, PAYLOAD, RESULT, Answer, RpcCall, RpcMethods


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
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return Exchange()
            codec = GobSession if sniff(data) == "gob" else JsonSession
            self._session = codec(self._methods)
        return self._session.take(data)


class GobSession:
    """Go's net/rpc with its default codec."""

    def __init__(self, methods: RpcMethods) -> None:
        self._methods = methods
        self._decoder = gob.CallDecoder()
        self._encoder = gob.ReplyEncoder(RESULT)

    @property
    def buffered(self) -> int:
        return self._decoder.buffered

    def take(self, data: bytes) -> Exchange:
        calls: list[gob.GobCall] = []
        closing = False
        try:
            calls.extend(self._decoder.feed(data))
        except StreamError:
            closing = True
        prepared = [_prepared_gob(call) for call in calls]
        answers = _answers(self._methods, prepared)
        return Exchange(b"".join(map(self._reply, calls, answers)), closing=closing)

    def _reply(self, call: gob.GobCall, answer: Answer) -> bytes:
        if isinstance(answer, CallError):
            return self._encoder.error(call, answer.text)
        if isinstance(answer, list):
            return self._encoder.ok_list(call, answer)
        return self._encoder.ok(call, answer)


class JsonSession:
    """JSON-RPC 1.0 as Go's net/rpc/jsonrpc speaks it, and 2.0 for callers that ask for it."""

    def __init__(self, methods: RpcMethods) -> None:
        self._methods = methods
        self._decoder = jsonrpc.RequestDecoder()

    @property
    def buffered(self) -> int:
        return self._decoder.buffered

    def take(self, data: bytes) -> Exchange:
        messages: list[jsonrpc.Request | jsonrpc.Batch] = []
        try:
            messages.extend(self._decoder.feed(data))
        except StreamError as error:
            return Exchange(self._replies(messages) + error.answer, closing=True)
        return Exchange(self._replies(messages))

    def _replies(self, messages: list[jsonrpc.Request | jsonrpc.Batch]) -> bytes:
        requests = [request for message in messages for request in _requests(message)]
        answers = _answers(self._methods, [_prepared_json(request) for request in requests])
        replies = iter(map(_json_reply, requests, answers))
        return b"".join(
            jsonrpc.reply_batch([next(replies) for _ in message.requests])
            if isinstance(message, jsonrpc.Batch)
            else next(replies)
            for message in messages
        )


def _answers(methods: RpcMethods, prepared: list[RpcCall | CallError]) -> list[Answer]:
    """What cannot be called is answered with its fault; the rest is called together."""
    answers = iter(methods.call_many([call for call in prepared if isinstance(call, RpcCall)]))
    return [next(answers) if isinstance(call, RpcCall) else call for call in prepared]


def _requests(message: jsonrpc.Request | jsonrpc.Batch) -> Iterator[jsonrpc.Request]:
    if isinstance(message, jsonrpc.Batch):
        yield from message.requests
    else:
        yield message


def _prepared_json(request: jsonrpc.Request) -> RpcCall | CallError:
    try:
        request.check(METHODS)
        if request.method == LOG_BATCH:
            return RpcCall(LOG_BATCH, jsonrpc.struct_list(request, PAYLOAD))
        return RpcCall(request.method, [jsonrpc.struct_fields(request, PAYLOAD)])
    except CallError as error:
        return error


def _prepared_gob(call: gob.GobCall) -> RpcCall | CallError:
    try:
        call.check(METHODS)
        if call.method == LOG_BATCH:
            return RpcCall(LOG_BATCH, gob.struct_list(call, PAYLOAD))
        return RpcCall(call.method, [gob.struct_fields(call, PAYLOAD)])
    except CallError as error:
        return error


def _json_reply(request: jsonrpc.Request, answer: Answer) -> bytes:
    if isinstance(answer, CallError):
        return jsonrpc.reply_error(request, answer.text, code=answer.code)
    return jsonrpc.reply_ok(request, answer)
