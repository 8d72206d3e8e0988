"""Each process started by the command its users know, with the variables of .env.example and nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.services import free_port
from tests.system import ROOT
from tests.waiting import eventually

BIN = Path(sys.executable).parent
GUNICORN = ["auth", "broker", "frontend", "logger", "mailer"]


def only_documented(system, **changes: str) -> dict[str, str]:
    """The variables that .env.example names, with the running system's values; of the rest only what any process needs."""
    names = re.findall(r"^([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    documented = {name: system.env[name] for name in names if name in system.env}
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **documented, **changes}


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(15) == 0, log.read_text()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("service", GUNICORN)
def test_gunicorn_starts_each_service(system, tmp_path, service):
    port = free_port()
    changes = {f"{service.upper()}_PORT": str(port)}
    if service == "logger":
        changes |= {"LOGGER_RPC_PORT": str(port + 1), "LOGGER_GRPC_PORT": str(port + 2)}
    command = [str(BIN / "gunicorn"), "-c", f"{service}/gunicorn.conf.py", f"{service}.wsgi:app"]

    with running(command, only_documented(system, **changes), tmp_path / "log") as process:

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=3).json()["degraded"] is False

        eventually(answers, seconds=20)


def test_celery_starts_the_worker(system, tmp_path):
    port = free_port()
    command = [str(BIN / "celery"), "-A", "worker", "worker"]

    with running(command, only_documented(system, WORKER_PORT=str(port)), tmp_path / "log") as process:

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=3).status_code == 200

        eventually(answers, seconds=30)


def test_the_keeper_starts_as_a_module_and_waits_while_another_one_works(system, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "logger", "keeper"]

    with running(command, only_documented(system, KEEPER_PORT=str(port)), tmp_path / "log") as process:

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=3).json()["status"] == "ready"

        eventually(answers, seconds=20)
        eventually(lambda: requests.get(system.url("keeper", "/readyz"), timeout=3).json()["work"]["keeper"]["working"])
        assert not requests.get(f"http://127.0.0.1:{port}/readyz", timeout=3).json()["work"]["keeper"]["working"]


def test_a_bad_variable_is_told_in_one_line_and_nothing_starts(system):
    environment = only_documented(system, BROKER_CONNECTIONS="many")

    done = subprocess.run(
        [str(BIN / "gunicorn"), "-c", "broker/gunicorn.conf.py", "broker.wsgi:app"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode != 0
    assert "BROKER_CONNECTIONS" in done.stderr
    assert "Traceback" not in done.stderr
