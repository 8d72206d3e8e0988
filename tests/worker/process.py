"""One more worker, started by the command its users know, and a log store for it that does as it is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
import requests

from common.rpc.grpc_server import GrpcServer, ServerOptions, build_server
from protos import logs_pb2, logs_pb2_grpc
from tests.system import ROOT
from tests.waiting import eventually

# Below the range that the system gives to outgoing connections.
PORTS = range(20_000, 32_000)
COMMAND = ("celery", "-A", "worker", "worker", "--pool", "threads", "--without-gossip", "--without-mingle")


class Worker:
    def __init__(self, environment: Mapping[str, str], output: Path) -> None:
        self.url = f"http://127.0.0.1:{environment['WORKER_PORT']}"
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *COMMAND], cwd=ROOT, env=dict(environment), stdout=file, stderr=file
            )

    def status(self, path: str = "/readyz") -> int:
        return requests.get(self.url + path, timeout=5).status_code

    def wait_ready(self) -> None:
        eventually(lambda: self.status() == 200, seconds=30)

    def log(self) -> str:
        return self._output.read_text(errors="replace")

    def logged(self, event: str) -> list[dict[str, object]]:
        """The lines of its log with this name."""
        return [line for line in map(json.loads, filter(_is_json, self.log().splitlines())) if line["msg"] == event]

    def stop(self, *, seconds: float = 15) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)


def _is_json(line: str) -> bool:
    """Celery writes one line past every logger when it is told to stop."""
    return line.startswith("{")


@contextmanager
def worker(environment: Mapping[str, str], output: Path) -> Iterator[Worker]:
    started = Worker(environment, output)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait(timeout=10)


class Store(logs_pb2_grpc.LogServiceServicer):
    """Keeps what it is given while `open`; counts every entry, so that a second delivery shows."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.entries: list[logs_pb2.Log] = []
        self.calls = 0
        # Entries whose data contains this make the whole call fail, as a fault of the store itself would.
        self.spoiling = ""
        self.open = threading.Event()
        self.open.set()

    def WriteLogs(self, request, context):  # noqa: N802 - grpc's name
        self.calls += 1
        while not self.open.wait(0.05):
            if not context.is_active():
                return logs_pb2.WriteLogsResponse()
        if self.spoiling and any(self.spoiling in entry.data for entry in request.entries):
            context.abort(grpc.StatusCode.INTERNAL, "internal error")
        self.entries.extend(request.entries)
        self.ids.extend(entry.id for entry in request.entries)
        return logs_pb2.WriteLogsResponse(results=[logs_pb2.WriteResult(id=entry.id) for entry in request.entries])


@contextmanager
def serving(store: Store, address: str) -> Iterator[GrpcServer]:
    server = build_server(
        address,
        register=lambda built: logs_pb2_grpc.add_LogServiceServicer_to_server(store, built),
        services=["logs.LogService"],
        options=ServerOptions(threads=4, grace=0.1),
    )
    server.start()
    try:
        yield server
    finally:
        store.open.set()
        server.stop()
