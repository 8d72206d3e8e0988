"""Builds the Go programs of this folder with Debian's Go, offline and outside the source tree, so that
tests meet a real net/rpc peer. Where Go was unpacked without root, `.local/tools.env` says where it is; the
variable GO names another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from compose.local.environment import read_dotenv
from compose.local.paths import LOCAL, TOOLS_ENV

SOURCES = Path(__file__).resolve().parent
DEBIAN_LIBRARIES = "/usr/share/gocode"
BUILD_TIMEOUT_S = 300


class GoMissingError(RuntimeError):
    """No Go compiler on this machine; the message says which package brings it."""


def go_environment() -> dict[str, str]:
    """The process environment, after it what `make tools` found; no module is ever downloaded."""
    found = read_dotenv(TOOLS_ENV) if TOOLS_ENV.is_file() else {}
    if os.environ.get("GO"):
        found.pop("GOROOT", None)
    defaults = {"GO": shutil.which("go") or ""}
    fixed = {
        "GO111MODULE": "off",
        # a developer's own GOPATH need not hold the AMQP client
        "GOPATH": found.get("GOPATH", DEBIAN_LIBRARIES),
        "GOCACHE": str(LOCAL / "go-cache"),
        "CGO_ENABLED": "0",
        "GOFLAGS": "",
    }
    return defaults | found | dict(os.environ) | fixed


def go_binary(environment: dict[str, str]) -> str:
    if not environment["GO"]:
        raise GoMissingError("no Go compiler: run `make tools`, or install golang-go, or name one in the variable GO")
    return environment["GO"]


@cache
def go_program(name: str) -> Path:
    """Path of the freshly built program; Go's own cache makes repeated builds cheap."""
    target = LOCAL / "go-build" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    environment = go_environment()
    command = [go_binary(environment), "build", "-o", str(target), "."]
    built = subprocess.run(
        command,
        cwd=SOURCES / name,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if built.returncode:
        raise RuntimeError(f"go build {name} failed: {built.stderr}")
    return target
