"""Starts the mailbox as its users do, on ports of its own, and speaks SMTP and HTTP to it."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.services import free_port

ROOT = Path(__file__).parents[2]
START_LIMIT = 20.0
CALL_LIMIT = 15.0


def letter(**fields: str) -> EmailMessage:
    """A small mail; `body` is its text, every other argument a header field with `_` for `-`."""
    mail = EmailMessage()
    mail.set_content(fields.pop("body", "Hello"))
    for name, value in {"From": "ann@example.com", "To": "bob@example.com", "Subject": "Hi", **fields}.items():
        mail[name.replace("_", "-")] = value
    return mail


@dataclass(frozen=True, slots=True)
class RunningMailbox:
    process: subprocess.Popen[bytes]
    smtp_port: int
    http_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def connect(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=CALL_LIMIT)

    def send(self, *mails: EmailMessage) -> None:
        with self.connect() as client:
            for mail in mails:
                client.send_message(mail)

    def call(self, path: str, *, method: str = "GET") -> tuple[int, bytes]:
        request = urllib.request.Request(self.url + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=CALL_LIMIT) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def get(self, path: str) -> Any:
        status, body = self.call(path)
        assert status == 200, body
        return json.loads(body)


@contextmanager
def running_mailbox(data: Path) -> Iterator[RunningMailbox]:
    smtp_port, http_port = free_port(), free_port()
    process = subprocess.Popen(command(data, smtp_port=smtp_port, http_port=http_port), cwd=ROOT, env=environment())
    try:
        mailbox = RunningMailbox(process, smtp_port, http_port)
        _wait_until_ready(mailbox)
        yield mailbox
    finally:
        process.kill()
        process.wait(timeout=CALL_LIMIT)


def command(data: Path, *, smtp_port: int, http_port: int) -> list[str]:
    ports = ["--smtp-port", str(smtp_port), "--http-port", str(http_port)]
    return [sys.executable, "-m", "compose.mailbox", *ports, "--data", str(data)]


def environment() -> dict[str, str]:
    return {**os.environ, "LOG_LEVEL": "WARNING"}


def _wait_until_ready(mailbox: RunningMailbox) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        assert mailbox.process.poll() is None, "the mailbox ended while it was starting"
        try:
            if mailbox.call("/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the mailbox did not become ready")
