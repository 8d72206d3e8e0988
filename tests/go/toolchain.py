"""Builds the Go programs of this folder with Debian's Go, offline and outside the source tree, so that
tests meet a real net/rpc peer. `GO` names another go binary; libraries come from Debian's GOPATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
LOCAL = SOURCES.parents[1] / ".local"
BUILD_TIMEOUT_S = 300


class GoMissingError(RuntimeError):
    """No Go compiler on this machine; the message says which package brings it."""


def go_binary() -> str:
    found = os.environ.get("GO") or shutil.which("go") or shutil.which("go", path="/usr/lib/go/bin")
    if not found:
        raise GoMissingError(
            "no go compiler: apt-get install golang-go golang-github-rabbitmq-amqp091-go-dev, or set GO"
        )
    return found


def go_environment() -> dict[str, str]:
    return os.environ | {
        "GO111MODULE": "off",
        "GOPATH": os.environ.get("GOPATH", "/usr/share/gocode"),
        "GOCACHE": str(LOCAL / "go-cache"),
        "CGO_ENABLED": "0",
        "GOFLAGS": "",
    }


@cache
def go_program(name: str) -> Path:
    """Path of the freshly built program; Go's own cache makes repeated builds cheap."""
    target = LOCAL / "go-build" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [go_binary(), "build", "-o", str(target), "."]
    built = subprocess.run(
        command,
        cwd=SOURCES / name,
        env=go_environment(),
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if built.returncode:
        raise RuntimeError(f"go build {name} failed: {built.stderr}")
    return target
