"""More authentication services beside the running one, started by the public command."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.system import ROOT, System
from tests.waiting import eventually


def free_port() -> int:
    """Below the range that the kernel hands out to outgoing connections."""
    for port in random.sample(range(23_000, 32_000), 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port among fifty")


@contextmanager
def own_service(system: System, **changes: str) -> Iterator[str]:
    """The URL of a service that answers, configured as the system's but for `changes`."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "auth/gunicorn.conf.py", "auth.wsgi:app"],
        cwd=ROOT,
        env=system.environment(AUTH_PORT=str(port), **changes),
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
