"""Runs both doors in one process: SMTP on the event loop, HTTP in threads, until a signal asks it to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from compose.mailbox import smtp
from compose.mailbox.settings import Settings
from compose.mailbox.store import Store
from compose.mailbox.web.app import create_app

log = logging.getLogger(__name__)

BACKLOG = 256
STOP_POLL = 0.2


class PortTakenError(Exception):
    """A port cannot be listened on; the text is for the person who started the program."""


class QuietHandler(WSGIRequestHandler):
    """Requests go to the debug log, a silent client is dropped, and the versions of our parts stay private."""

    timeout = 30
    server_version = "mailbox"
    sys_version = ""

    def version_string(self) -> str:
        return self.server_version

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - name given by the base class
        level = logging.DEBUG if type == "info" else logging.WARNING
        log.log(level, "http server", extra={"line": message % args if args else message})


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises PortTakenError, and sqlite3.Error or OSError for a bad data file."""
    smtp_socket = listen(settings.host, settings.smtp_port, option="--smtp-port")
    http_socket = listen(settings.host, settings.http_port, option="--http-port")
    with closing(Store(settings.data)) as store:
        app = create_app(store, smtp_address=_address(smtp_socket), allowed_hosts=settings.allowed_hosts)
        with _serving_http(app, settings, http_socket):
            asyncio.run(_smtp(store, smtp_socket, on_ready=lambda: _announce(smtp_socket, http_socket)))


def listen(host: str, port: int, *, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        problem = f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)})"
        raise PortTakenError(f"{problem}; choose another with {option}") from error


@contextmanager
def _serving_http(app: Flask, settings: Settings, listener: socket.socket) -> Iterator[None]:
    server = make_server(
        settings.host,
        settings.http_port,
        app,
        threaded=True,
        request_handler=QuietHandler,
        fd=listener.fileno(),
    )
    threading.Thread(target=server.serve_forever, args=(STOP_POLL,), name="http", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.socket.close()


async def _smtp(store: Store, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    connected: set[asyncio.BaseTransport] = set()
    # One thread, because SQLite writes one mail at a time in any case, and each thread would keep memory of its own.
    with ThreadPoolExecutor(1, "store") as writing:
        intake = smtp.Intake(store, writing)
        server = await loop.create_server(lambda: smtp.connection(intake, connected), sock=listener)
        on_ready()
        await stopping.wait()
        log.info("mailbox stopping")
        server.close()
        for transport in list(connected):
            transport.close()


def _announce(smtp_socket: socket.socket, http_socket: socket.socket) -> None:
    log.info("mailbox ready", extra={"smtp": _address(smtp_socket), "http": f"http://{_address(http_socket)}"})


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
