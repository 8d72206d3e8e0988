"""Runs the Go programs as peers: a server for our clients to call, a client for our servers to answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.go.toolchain import go_program

RUN_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call as the Go caller saw it."""

    call: int
    reply: str
    error: str


@dataclass(frozen=True, slots=True)
class GoServer:
    address: tuple[str, int]
    process: subprocess.Popen[str]

    def received(self) -> dict[str, Any]:
        """The next payload the server got; blocks until there is one."""
        assert self.process.stdout is not None
        payload: dict[str, Any] = json.loads(self.process.stdout.readline())
        return payload


@contextmanager
def go_server(codec: str, *, fail: str = "") -> Iterator[GoServer]:
    command = [str(go_program("rpcserver")), "-codec", codec, "-fail", fail]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        host, _, port = json.loads(process.stdout.readline())["listening"].rpartition(":")
        yield GoServer((host, int(port)), process)
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


def call_from_go(address: tuple[str, int], **options: str | int) -> list[Outcome]:
    """Run rpcclient against `address`; option names are its flags, `n` and `pipeline` among them."""
    command = [str(go_program("rpcclient")), "-addr", f"{address[0]}:{address[1]}"]
    for flag, value in options.items():
        command += [f"-{flag}", str(value)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    outcomes = [Outcome(**json.loads(line)) for line in ran.stdout.splitlines()]
    if not outcomes:
        raise RuntimeError(f"rpcclient gave no answer: {ran.stderr}")
    return outcomes
