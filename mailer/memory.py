"""A mail server in memory: for tests and for learning; gone with the process."""

from __future__ import annotations

from common.errors import AppError
from mailer.domain import Mail


class MemorySender:
    """Takes every mail over, until it is told how to fail."""

    def __init__(self) -> None:
        self.taken: list[Mail] = []
        self.failure: AppError | None = None

    def send(self, mail: Mail) -> None:
        if self.failure is not None:
            raise self.failure
        self.taken.append(mail)
