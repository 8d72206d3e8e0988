"""The Go logger's RPC method behind our own codecs, without any service: as a function on bytes and on a socket."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from common.rpc import gob, jsonrpc
from common.rpc.calls import CallError, GoStruct, StreamError, sniff

PAYLOAD = GoStruct("main.RPCPayload", ("Name", "Data"))
METHODS = {"RPCServer.LogInfo"}
Method = Callable[[dict[str, str]], str]


def processed(fields: dict[str, str]) -> str:
    return f"Processed payload via RPC:{fields['Name']}"


class JsonSession:
    """`take` answers what the bytes complete; `closed` says that the connection must end."""

    def __init__(self, method: Method = processed) -> None:
        self.closed = False
        self._decoder = jsonrpc.RequestDecoder()
        self._method = method

    def take(self, data: bytes) -> bytes:
        answers = b""
        try:
            for message in self._decoder.feed(data):
                if isinstance(message, jsonrpc.Batch):
                    answers += jsonrpc.reply_batch(map(self._answer, message.requests))
                else:
                    answers += self._answer(message)
        except StreamError as error:
            self.closed = True
            answers += error.answer
        return answers

    def _answer(self, request: jsonrpc.Request) -> bytes:
        try:
            request.check(METHODS)
            return jsonrpc.reply_ok(request, self._method(jsonrpc.struct_fields(request, PAYLOAD)))
        except CallError as error:
            return jsonrpc.reply_error(request, error.text, code=error.code)


class GobSession:
    def __init__(self, method: Method = processed) -> None:
        self.closed = False
        self._decoder = gob.CallDecoder()
        self._encoder = gob.ReplyEncoder()
        self._method = method

    def take(self, data: bytes) -> bytes:
        answers = b""
        try:
            for call in self._decoder.feed(data):
                answers += self._answer(call)
        except StreamError:
            self.closed = True
        return answers

    def _answer(self, call: gob.GobCall) -> bytes:
        try:
            call.check(METHODS)
            return self._encoder.ok(call, self._method(gob.struct_fields(call, PAYLOAD)))
        except CallError as error:
            return self._encoder.error(call, error.text)


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while len(head) < 2:
            part = self.request.recv(65536)
            if not part:
                return
            head += part
        session = (GobSession if sniff(head) == "gob" else JsonSession)(self.server.method)  # type: ignore[attr-defined]  # set in serve()
        data = head
        while data:
            self.request.sendall(session.take(data))
            if session.closed:
                return
            data = self.request.recv(65536)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def serve(method: Method = processed) -> Iterator[tuple[str, int]]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.method = method  # type: ignore[attr-defined]  # read by the handler
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[:2]
        finally:
            server.shutdown()
            thread.join()
