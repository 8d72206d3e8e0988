"""More mailers beside the running one, started by the public command."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.system import ROOT, System
from tests.waiting import eventually

# Below the range that the kernel hands out to outgoing connections.
_PORTS = range(19_000, 19_900)


def free_port() -> int:
    for port in _PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")


@contextmanager
def own_mailer(system: System, **changes: str) -> Iterator[str]:
    """The URL of a mailer that answers, configured as the system's but for `changes`."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "mailer/gunicorn.conf.py", "mailer.wsgi:app"],
        cwd=ROOT,
        env=system.environment(MAILER_PORT=str(port), **changes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: requests.get(f"{url}/ping", timeout=2).ok, seconds=30)
        yield url
    finally:
        process.terminate()
        process.wait(20)
