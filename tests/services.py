"""One more process of a service beside the running one, started by its public command."""

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
    """Below the range that the kernel hands out to outgoing connections, and below the blocks of whole systems."""
    for port in random.sample(range(12_000, 14_900), 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port among fifty")


@contextmanager
def own_service(system: System, service: str, **changes: str) -> Iterator[str]:
    """The URL of a service that answers, configured as the system's but for `changes`."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", f"{service}/gunicorn.conf.py", f"{service}.wsgi:app"],
        cwd=ROOT,
        env=system.environment(**{f"{service.upper()}_PORT": str(port)}, **changes),
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
