"""The worker's probes over HTTP: /ping, /livez and /readyz, answered by a thread of their own."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from celery import bootsteps
from celery.exceptions import WorkerShutdown
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from common.lifecycle import Lifecycle

log = logging.getLogger(__name__)


# How often the server looks whether it is to stop.
STOP_POLL_SECONDS = 0.1


class HealthServer:
    def __init__(self, app: Flask, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: BaseWSGIServer | None = None

    def start(self) -> None:
        """Raises OSError when the port is taken."""
        # Bound here, since werkzeug prints and leaves the process when it cannot.
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.create_server((self._host, self._port), family=family) as bound:
            self._server = make_server(self._host, self._port, self._app, threaded=True, fd=bound.fileno())
        threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_SECONDS,), name="health", daemon=True
        ).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class WorkerParts(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """Starts what needs threads, in the main process and after the pool, and stops it after the consumer. Bound by `parts_step`."""

    requires = ("celery.worker.components:Pool",)
    lifecycle: Lifecycle
    health: HealthServer
    port: int

    def start(self, worker: Any) -> None:  # noqa: ANN401, ARG002 - celery's interface
        """Raises WorkerShutdown when the probes' port is taken: two workers by accident must be loud."""
        try:
            self.health.start()
        except OSError as error:
            log.critical("port_taken", extra={"port": self.port, "variable": "WORKER_PORT", "reason": error.strerror})
            raise WorkerShutdown(1) from error
        self.lifecycle.start()

    def stop(self, worker: Any) -> None:  # noqa: ANN401, ARG002 - celery's interface
        self.lifecycle.stop()
        self.health.stop()

    terminate = stop


def parts_step(lifecycle: Lifecycle, health: HealthServer, *, port: int) -> type[WorkerParts]:
    members = {"lifecycle": lifecycle, "health": health, "port": port, "__module__": __name__}
    return type("BoundWorkerParts", (WorkerParts,), members)
