"""gunicorn's settings, shared: workers without preloading, JSON log lines, lifecycle hooks around the fork."""

from __future__ import annotations

from typing import Any

from common.logs import logging_config
from common.settings import Settings


def _post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    """Threads, sockets and database clients may exist only after the fork; the loaded application is at hand here."""
    worker.app.wsgi().extensions["lifecycle"].start()


def _worker_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    if (app := getattr(worker.app, "callable", None)) is not None:
        app.extensions["lifecycle"].stop()


def gunicorn_config(service: str, settings: Settings, *, port: int, threads: int, workers: int = 1) -> dict[str, Any]:
    """Settings for `globals().update(...)` in a service's gunicorn.conf.py.

    A request that has not come whole within 10 s is given up; a stopping worker has `settings.shutdown_grace` seconds to finish its
    requests.
    """
    return {
        "bind": f"{settings.bind_host}:{port}",
        "worker_class": "common.web.worker.BoundedWorker",
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
        "post_worker_init": _post_worker_init,
        "worker_exit": _worker_exit,
    }
