"""gunicorn's settings, shared: workers without preloading, JSON log lines, lifecycle hooks around the fork."""

from __future__ import annotations

import socket
import struct
from typing import Any

from common.logs import logging_config
from common.settings import Settings

SILENCE_SECONDS = 10


def _when_ready(server: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    """A thread reads a request to its end; without this a client that sends half of one would keep it for ever.

    Connections inherit the limit from the socket that they come in by. A client that drips still holds a thread: that is for the
    buffering proxy in front.
    """
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE_SECONDS, 0))


def _post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    """Threads, sockets and database clients may exist only after the fork; the loaded application is at hand here."""
    worker.app.wsgi().extensions["lifecycle"].start()


def _worker_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    if (app := getattr(worker.app, "callable", None)) is not None:
        app.extensions["lifecycle"].stop()


def gunicorn_config(service: str, settings: Settings, *, port: int, threads: int, workers: int = 1) -> dict[str, Any]:
    """Settings for `globals().update(...)` in a service's gunicorn.conf.py.

    A request whose next bytes do not come within 10 s is given up; a stopping worker has `settings.shutdown_grace` seconds to finish its
    requests.
    """
    return {
        "bind": f"{settings.bind_host}:{port}",
        "worker_class": "gthread",
        "workers": workers,
        "threads": threads,
        "timeout": 60,
        "graceful_timeout": settings.shutdown_grace,
        "keepalive": 75,
        "backlog": 1024,
        "preload_app": False,
        "control_socket_disable": True,
        "logconfig_dict": logging_config(service, level=settings.log_level, style=settings.log_format),
        "accesslog": None,
        "proc_name": service,
        "when_ready": _when_ready,
        "post_worker_init": _post_worker_init,
        "worker_exit": _worker_exit,
    }
