"""The system under test: real servers and services of its own, started by the same runner as `make up`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from compose.local.control import ask
from compose.local.paths import Instance
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent


@dataclass(slots=True)
class System:
    """`env` holds what `make env` prints: every address and credential of the running system."""

    state: Path
    name: str = "test"
    env: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str, timeout: float = 150) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "compose.local", "--instance", self.name, "--state", str(self.state), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @property
    def instance(self) -> Instance:
        return Instance(self.name, self.state)

    def up(self, *options: str) -> None:
        done = self.command("up", "--ports", "auto", *options)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        lines = self.command("env").stdout.splitlines()
        self.env = dict(line.split("=", 1) for line in lines if "=" in line)

    def down(self) -> None:
        done = self.command("down")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def stop(self, part: str) -> None:
        done = self.command("stop", part)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def start(self, part: str) -> None:
        """Returns when the part is ready again."""
        done = self.command("start", part)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def part(self, name: str) -> dict[str, Any]:
        """The supervisor's view of a part: state, pid, restarts and more."""
        parts = ask(self.instance, "status")["parts"]
        found: dict[str, Any] = next(part for part in parts if part["name"] == name)
        return found

    def kill(self, part: str) -> None:
        """SIGKILL, as a crash would; the supervisor brings the part back."""
        os.kill(self.part(part)["pid"], signal.SIGKILL)

    def wait_ready(self, part: str, *, seconds: float = 20) -> None:
        eventually(lambda: self.part(part)["state"] == "ready", seconds=seconds)

    def log_lines(self, part: str) -> list[str]:
        return (self.state / "logs" / f"{part}.log").read_text(errors="replace").splitlines()

    def environment(self, **changes: str) -> dict[str, str]:
        """The environment for one more process of this system, started by its public command."""
        return {**os.environ, **self.env, **changes}

    def url(self, service: str, path: str = "") -> str:
        return self.env[f"{service.upper()}_URL"] + path

    def post(
        self, service: str, path: str, body: object, *, headers: dict[str, str] | None = None
    ) -> requests.Response:
        return requests.post(self.url(service, path), json=body, headers=headers, timeout=15)

    def post_raw(self, service: str, path: str, body: bytes, **headers: str) -> requests.Response:
        return requests.post(self.url(service, path), data=body, headers=headers, timeout=15)

    def run(self, command: Sequence[str], *, timeout: float = 60, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(command),
            cwd=ROOT,
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
