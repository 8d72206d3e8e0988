"""Records the golden wire samples in protos/golden from Go programs talking to each other:
`python -m tests.go.record`. Run it again only when the Go programs change.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path

from tests.go.peers import call_from_go, go_server
from tests.go.toolchain import go_program

GOLDEN = Path(__file__).resolve().parents[2] / "protos" / "golden"
SILENCE_S = 0.3
ESCAPES = '<b>&\u2028\t"\\\b\f\x01é'
LOG_INFO = '"method":"RPCServer.LogInfo"'

# what a JSON-RPC peer may send, one row per rule of the server; each row is sent on a fresh connection
JSONRPC_CASES = {
    "a call": f'{{{LOG_INFO},"params":[{{"Name":"event","Data":"hello"}}],"id":0}}\n',
    "lower-case keys and an unknown field": f'{{{LOG_INFO},"params":[{{"name":"e","data":"d","x":[1]}}],"id":7}}\n',
    "upper-case member names": '{"METHOD":"RPCServer.LogInfo","Params":[{"NAME":"e"}],"ID":7}\n',
    "no newline at the end": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":1}}',
    "spread over lines": f'{{\n  {LOG_INFO},\n  "params": [\n    {{"Name": "e"}}\n  ],\n  "id": 1\n}}\n',
    "a string as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":"a<b"}}\n',
    "an escaped string as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":"\\u0041\\n"}}\n',
    "null as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":null}}\n',
    "no id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}]}}\n',
    "an id above 64 bits": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":123456789012345678901234567890}}\n',
    "a negative zero as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":-0}}\n',
    "a fraction as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":1.50e2}}\n',
    "an object as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":{{"a": [1, "}}"]}}}}\n',
    "true as id": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":true}}\n',
    "params an object": f'{{{LOG_INFO},"params":{{"Name":"e"}},"id":1}}\n',
    "params a string": f'{{{LOG_INFO},"params":"e","id":1}}\n',
    "params a number": f'{{{LOG_INFO},"params":5,"id":1}}\n',
    "params true": f'{{{LOG_INFO},"params":true,"id":1}}\n',
    "params null": f'{{{LOG_INFO},"params":null,"id":1}}\n',
    "params missing": f'{{{LOG_INFO},"id":1}}\n',
    "params empty": f'{{{LOG_INFO},"params":[],"id":1}}\n',
    "params of null": f'{{{LOG_INFO},"params":[null],"id":1}}\n',
    "params of strings": f'{{{LOG_INFO},"params":["e","x"],"id":1}}\n',
    "params of a number": f'{{{LOG_INFO},"params":[5],"id":1}}\n',
    "params of a list": f'{{{LOG_INFO},"params":[[]],"id":1}}\n',
    "params of a boolean": f'{{{LOG_INFO},"params":[false],"id":1}}\n',
    "a second param": f'{{{LOG_INFO},"params":[{{"Name":"e"}},{{"Name":"f"}}],"id":1}}\n',
    "a field of another kind": f'{{{LOG_INFO},"params":[{{"Name":5}}],"id":1}}\n',
    "a lower-case field of another kind": f'{{{LOG_INFO},"params":[{{"data":{{}}}}],"id":1}}\n',
    "a field that is null": f'{{{LOG_INFO},"params":[{{"Name":null,"Data":"d"}}],"id":1}}\n',
    "unknown service": '{"method":"Nobody.LogInfo","params":[{}],"id":1}\n',
    "unknown method": '{"method":"RPCServer.Nothing","params":[{}],"id":1}\n',
    "two dots": '{"method":"a.RPCServer.LogInfo","params":[{}],"id":1}\n',
    "method without a dot": '{"method":"LogInfo","params":[{}],"id":1}\n',
    "method with markup": '{"method":"<LogInfo>\\u0000","params":[{}],"id":1}\n',
    "method null": '{"method":null,"params":[{}],"id":1}\n',
    "method missing": '{"params":[{}],"id":1}\n',
    "an empty object": "{}\n",
    "null": "null\n",
    "method a number": '{"method":5,"params":[{}],"id":1}\n',
    "a list": f'[{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":1}}]\n',
    "a number": "5\n",
    "a string": '"LogInfo"\n',
    "an HTTP request": "GET / HTTP/1.1\r\nHost: logger\r\n\r\n",
    "broken JSON": '{"method":}\n',
    "brackets that do not match": '{"method":["a"}]\n',
    "a newline inside a string": '{"method":"RPC\nServer"}\n',
    "a good call and then garbage": f'{{{LOG_INFO},"params":[{{"Name":"e"}}],"id":1}}\ngarbage\n',
}


def exchange(address: tuple[str, int], sent: bytes) -> tuple[bytes, bool]:
    """What comes back, and whether the server hung up by itself (it is given a moment of silence to do so)."""
    received = bytearray()
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(sent)
        connection.settimeout(SILENCE_S)
        try:
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return bytes(received), False
    return bytes(received), True


class Tape:
    """A proxy for one connection that keeps the bytes of both directions."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.sent = bytearray()
        self.answered = bytearray()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.create_connection(self._target, timeout=10) as server:
            back = threading.Thread(target=self._pump, args=(server, client, self.answered), daemon=True)
            back.start()
            self._pump(client, server, self.sent)
            server.shutdown(socket.SHUT_WR)
            back.join(10)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        while part := source.recv(65536):
            kept += part
            target.sendall(part)

    def finish(self) -> None:
        self._thread.join(10)
        self._listener.close()


def record(codec: str, *, fail: str = "", **options: str | int) -> Tape:
    with go_server(codec, fail=fail) as server:
        tape = Tape(server.address)
        call_from_go(tape.address, codec=codec, **options)
        tape.finish()
    return tape


def record_jsonrpc() -> None:
    rows = []
    with go_server("json") as server:
        for case, sent in JSONRPC_CASES.items():
            received, closed = exchange(server.address, sent.encode())
            rows.append({"case": case, "send": sent, "receive": received.decode(), "closed": closed})
    (GOLDEN / "jsonrpc_conversations.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    calls = record("json", n=2, name="event", data=ESCAPES)
    (GOLDEN / "jsonrpc_calls.bin").write_bytes(calls.sent)
    (GOLDEN / "jsonrpc_replies.bin").write_bytes(record("json", n=2, name=ESCAPES).answered)
    (GOLDEN / "jsonrpc_errors.bin").write_bytes(record("json", n=2, fail=f"no: {ESCAPES}").answered)


def record_gob() -> None:
    hello = record("gob", name="event", data="hello")
    (GOLDEN / "gob_client_hello.bin").write_bytes(hello.sent)
    (GOLDEN / "gob_server_hello.bin").write_bytes(hello.answered)
    calls = record("gob", n=300, name="event", data=ESCAPES)
    (GOLDEN / "gob_client_calls.bin").write_bytes(calls.sent)
    (GOLDEN / "gob_server_replies.bin").write_bytes(calls.answered)
    (GOLDEN / "gob_client_empty.bin").write_bytes(record("gob", n=2, name="", data="").sent)
    for mode in ("wide", "exotic", "string", "alien", "mistyped"):
        tape = record("gob", n=2, mode=mode)
        (GOLDEN / f"gob_client_{mode}.bin").write_bytes(tape.sent)
        (GOLDEN / f"gob_server_{mode}.bin").write_bytes(tape.answered)
    (GOLDEN / "gob_server_errors.bin").write_bytes(record("gob", n=2, fail="no such luck").answered)
    unknown = record("gob", n=2, method="RPCServer.Nothing")
    (GOLDEN / "gob_server_unknown.bin").write_bytes(unknown.answered)


def record_batches() -> None:
    """LogBatch, our own method: as a Go client calls it and a Go server would answer it."""
    for codec in ("json", "gob"):
        tape = record(codec, n=3, mode="batch", method="RPCServer.LogBatch")
        prefix = "jsonrpc" if codec == "json" else "gob"
        (GOLDEN / f"{prefix}_client_batch.bin").write_bytes(tape.sent)
        (GOLDEN / f"{prefix}_server_batch.bin").write_bytes(tape.answered)


def record_event() -> None:
    shown = subprocess.run(
        [go_program("amqppub"), "-show", "-data", ESCAPES], capture_output=True, check=True, timeout=30
    )
    (GOLDEN / "amqp_event.json").write_bytes(shown.stdout)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    record_jsonrpc()
    record_gob()
    record_batches()
    record_event()
