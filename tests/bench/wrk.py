"""wrk as the load generator for HTTP: runs it with a prepared request and reads what it measured."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from compose.local import tools
from tests.bench.figures import Sample

SCRIPT = Path(__file__).with_name("wrk.lua")
# Stands in a request for a number that is counted up; the same as in wrk.lua.
MARK = "##########"
# No request is given up sooner, so that a slow one shows as slow and not as an error. Seconds.
PATIENCE = 60
_GRACE = 90.0
_ERRORS = ("connect", "read", "write", "timeout", "status")


class GeneratorError(Exception):
    """The load generator itself failed: there is no figure."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; MARK may stand in the body any number of times. A patient sender waits when there is no room for it."""

    url: str
    body: str = ""
    content_type: str = "application/json"
    is_patient: bool = False

    def raw(self) -> bytes:
        parts, body = urlsplit(self.url), self.body.encode()
        head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def run(request: Request, concurrency: int, seconds: float) -> Sample:
    """Raises GeneratorError."""
    with Running(request, concurrency, seconds) as running:
        return running.result()


class Running:
    """wrk in the background for about `seconds`; leaving the block ends it."""

    def __init__(self, request: Request, concurrency: int, seconds: float) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="bench-", suffix=".http")  # noqa: SIM115 - lives as long as this
        self._file.write(request.raw())
        self._file.flush()
        self._limit = seconds + _GRACE
        self._process = subprocess.Popen(
            _command(request, concurrency, seconds, self._file.name),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        self._file.close()

    def result(self) -> Sample:
        """Waits for the end. Raises GeneratorError."""
        output, _ = self._process.communicate(timeout=self._limit)
        return parse(output)


def _command(request: Request, concurrency: int, seconds: float, file: str) -> list[str]:
    options = {
        "--threads": min(2, concurrency),
        "--connections": concurrency,
        "--duration": max(1, round(seconds)),
        "--timeout": PATIENCE,
        "--script": SCRIPT,
    }
    return [tools.wrk(), *(str(word) for option in options.items() for word in option), *_arguments(request, file)]


def _arguments(request: Request, file: str) -> list[str]:
    return [request.url, "--", file, *(["patient"] if request.is_patient else [])]


def parse(output: str) -> Sample:
    """From the line that wrk.lua prints. wrk counts refused requests among its requests; here they are errors only.

    Raises GeneratorError.
    """
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), "")
    if not line:
        raise GeneratorError(f"wrk measured nothing: {output.strip()[-300:] or 'it said nothing'}")
    told = json.loads(line.removeprefix("RESULT "))
    return Sample(
        acknowledged=told["requests"] - told["status"],
        seconds=told["duration_us"] / 1e6,
        p50_ms=told["p50_us"] / 1000,
        p95_ms=told["p95_us"] / 1000,
        p99_ms=told["p99_us"] / 1000,
        errors=sum(told[name] for name in _ERRORS),
        pushed_back=told["pushed_back"],
    )
