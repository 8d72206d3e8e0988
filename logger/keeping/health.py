"""The keeper's probes over HTTP: /ping, /livez and /readyz, which also tells how far the work is.

Python's own small server instead of Flask: in a process that does little else, Flask would be most of the memory.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

import orjson

from common.errors import AppError
from common.logs import VERSION

log = logging.getLogger(__name__)

SERVICE = "keeper"
PATHS = ("/ping", "/livez", "/readyz", "/healthz")
# A client that sends no request is not waited for longer.
REQUEST_SECONDS = 5
# How often the server looks whether it is to stop.
STOP_POLL_SECONDS = 0.25

Probe = Callable[[], object]
Progress = Callable[[], Mapping[str, Any]]


def readiness(checks: Mapping[str, Probe], progress: Mapping[str, Progress]) -> tuple[int, dict[str, Any]]:
    """Status and body, in the shape that every service's /readyz has, with `work` beside it. Every check is critical."""
    found = {name: _look(probe) for name, probe in checks.items()}
    ready = all(each["status"] == "up" for each in found.values())
    body = {
        "status": "ready" if ready else "unready",
        "degraded": not ready,
        "service": SERVICE,
        "version": VERSION,
        "checks": found,
        "work": {name: dict(tell()) for name, tell in progress.items()},
    }
    return 200 if ready else 503, body


def _look(probe: Probe) -> dict[str, Any]:
    began = time.monotonic()
    error: str | None = None
    try:
        probe()
    except AppError as problem:
        error = problem.message
    except Exception as problem:  # noqa: BLE001 - whatever a driver raises means "down"; its text may hold an address
        error = type(problem).__name__
    finding: dict[str, Any] = {
        "status": "up" if error is None else "down",
        "critical": True,
        "latency_ms": round((time.monotonic() - began) * 1000, 1),
    }
    return finding if error is None else finding | {"error": error}


class HealthServer:
    def __init__(self, host: str, port: int, checks: Mapping[str, Probe], progress: Mapping[str, Progress]) -> None:
        self._address = host, port
        self._checks = checks
        self._progress = progress
        self._server: ThreadingTCPServer | None = None

    def start(self) -> None:
        """Raises OSError when the port is taken."""
        self._server = _server(self._address, lambda: readiness(self._checks, self._progress))
        threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_SECONDS,), name="health", daemon=True
        ).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _server(address: tuple[str, int], ask: Callable[[], tuple[int, dict[str, Any]]]) -> ThreadingTCPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = SERVICE
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/ping":
                self._answer(200, b"OK", "text/plain; charset=utf-8")
            elif path == "/livez":
                self._json(200, {"status": "alive", "service": SERVICE, "version": VERSION})
            elif path in PATHS:
                self._json(*ask())
            else:
                self._json(404, {"error": True, "message": "nothing is here"})

        def _json(self, status: int, body: Mapping[str, Any]) -> None:
            self._answer(status, orjson.dumps(body, option=orjson.OPT_UTC_Z), "application/json")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Probes are not logged."""

    return _Server(address, Handler)


class _Server(ThreadingTCPServer):  # not HTTPServer, which asks the name service who it is
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - the base class's signature
        """A probe that hung up is none; the base class would print a traceback past the log."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("probe_failed", exc_info=error)
