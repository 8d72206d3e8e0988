"""The worker of services that wait for others, under a small application of its own: clients that stop half-way hold nothing up."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services import free_port
from tests.system import ROOT
from tests.waiting import eventually

# times short enough for a test, and room for one connection only
CONFIGURATION = """
from common.logs import logging_config
from common.web import green_worker
from common.web.gunicorn import green

green_worker.READ_SECONDS = 1.0
green_worker.SEND_SECONDS = 1.0
logconfig_dict = logging_config("small", level="INFO", style="json")
globals().update(green(1))
"""
APPLICATION = """
def app(environ, start_response):
    body = b"x" * (32 * 1024 * 1024 if environ["PATH_INFO"] == "/large" else 2)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    lines: Path

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, connection: socket.socket, path: str = "/") -> bytes:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return connection.recv(1024)

    def answers(self) -> bool:
        with self.connected() as connection:
            return b"200 OK" in self.ask(connection)

    def complaints(self) -> list[str]:
        text = self.lines.read_text()
        return [line for line in text.splitlines() if "Traceback" in line or '"ERROR"' in line]


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    (tmp_path / "small.py").write_text(APPLICATION)
    port, lines = free_port(), tmp_path / "lines"
    with lines.open("wb") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", tmp_path / "conf.py", "-b", f"127.0.0.1:{port}"),
                *("--pythonpath", f"{tmp_path},{ROOT}", "small:app"),
            ],
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )
    server = Server(port, process, lines)
    try:
        eventually(server.answers, seconds=30)
        yield server
    finally:
        process.kill()
        process.wait(10)


def test_a_stop_ends_a_resting_connection_without_a_complaint(server):
    with server.connected() as resting:
        assert b"200 OK" in server.ask(resting)
        server.process.send_signal(signal.SIGTERM)

        assert eventually(lambda: resting.recv(1024) == b"", seconds=10)
        assert server.process.wait(10) == 0
    assert server.complaints() == []


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost"])
def test_who_does_not_send_a_whole_head_is_given_up_without_a_complaint(server, head):
    with server.connected() as slow:
        slow.sendall(head)

        assert slow.recv(1) == b""
    assert server.answers()
    assert server.complaints() == []


def test_a_client_that_does_not_read_its_answer_is_given_up_without_a_complaint(server):
    with server.connected() as deaf:
        server.ask(deaf, "/large")

        assert server.answers()
    assert server.complaints() == []
