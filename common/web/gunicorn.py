"""gunicorn's settings, shared: workers without preloading, JSON log lines, lifecycle hooks around the fork."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from gunicorn.glogging import Logger

from common.lifecycle import patiently
from common.logs import logging_config
from common.settings import Settings


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    def access(self, *_: object) -> None:
        """Every service writes its own line for each request; gunicorn would prepare one more and drop it, at the cost of a request."""


def _post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    """Threads, sockets and database clients may exist only after the fork; the loaded application is at hand here."""
    worker.app.wsgi().extensions["lifecycle"].start()


def _worker_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    if (app := getattr(worker.app, "callable", None)) is not None:
        app.extensions["lifecycle"].stop()


def claiming(host: str, ports: Sequence[int], *, seconds: float) -> Callable[[Any], None]:
    """An `on_starting` hook for a service whose processes share `ports`: sharing is for them alone.

    SO_REUSEPORT would let a second instance take part of the connections without a word, so its master looks first, and stops when
    somebody else is still there after `seconds`.
    """

    def claim(_server: object) -> None:
        for port in ports:
            patiently(lambda port=port: _bind(host, port), expecting=OSError, seconds=seconds)()  # type: ignore[misc]  # bound now

    return claim


def _bind(host: str, port: int) -> None:
    socket.create_server((host, port)).close()


def threaded(threads: int) -> dict[str, Any]:
    """For services that compute, or whose database driver needs threads: as many requests at a time as threads."""
    return {"worker_class": "common.web.worker.BoundedWorker", "threads": threads}


def green(connections: int) -> dict[str, Any]:
    """For services that wait for others: as many connections at a time as `connections`, none of which costs a thread."""
    return {"worker_class": "common.web.green_worker.GreenWorker", "worker_connections": connections}


def gunicorn_config(
    service: str, settings: Settings, *, port: int, model: dict[str, Any], workers: int = 1
) -> dict[str, Any]:
    """Settings for `globals().update(...)` in a service's gunicorn.conf.py; `model` is `threaded(...)` or `green(...)`.

    A request that has not come whole within 10 s is given up; a stopping worker has `settings.shutdown_grace` seconds to finish its
    requests.
    """
    return {
        "bind": f"{settings.bind_host}:{port}",
        **model,
        "workers": workers,
        "timeout": 60,
        "graceful_timeout": settings.shutdown_grace,
        "keepalive": 75,
        "backlog": 1024,
        "preload_app": False,
        "control_socket_disable": True,
        "logconfig_dict": logging_config(service, level=settings.log_level, style=settings.log_format),
        # the most that gunicorn can be told; a question to the log store may be long
        "limit_request_line": 8190,
        "accesslog": None,
        "logger_class": QuietLogger,
        "proc_name": service,
        "post_worker_init": _post_worker_init,
        "worker_exit": _worker_exit,
    }
