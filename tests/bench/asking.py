"""One caller who asks the log store's reading doors over a connection that stays open, and what that took."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.bench.figures import Sample, of_latencies

# No answer takes as long unless something is broken. Seconds.
PATIENCE = 60.0

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """`is_right` says whether an answer is what has to come; a wrong or an incomplete one counts as an error."""

    path: str
    parameters: Mapping[str, str]
    is_right: Callable[[Answer], bool]

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.parameters)}" if self.parameters else self.path


class Caller:
    """Sends one request at a time. Raises OSError or HTTPException when the server is away."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, target: str) -> tuple[float, int, bytes]:
        """Seconds until the whole answer was there, its status, its body."""
        began = time.perf_counter()
        self._connection.request("GET", target)
        answer = self._connection.getresponse()
        body = answer.read()
        return time.perf_counter() - began, answer.status, body

    def stream(self, target: str, size: int) -> Iterator[bytes]:
        """Pieces of the body as they come, at most `size` bytes each. Nothing when the status is not 200."""
        self._connection.request("GET", target)
        answer = self._connection.getresponse()
        while answer.status == http.client.OK and (piece := answer.read1(size)):
            yield piece

    def measured(self, question: Question) -> tuple[float, Answer | None]:
        """Seconds, and the answer if it is right."""
        seconds, status, body = self.ask(question.target)
        answer = json.loads(body) if status == http.client.OK else {}
        return seconds, answer if answer and question.is_right(answer) else None


def sample_of(caller: Caller, questions: Iterable[Question]) -> Sample:
    """One after the other. An answer of another status than 200, and one that is not right, is an error; its time counts all the same."""
    latencies, errors = [], 0
    for question in questions:
        seconds, answer = caller.measured(question)
        latencies.append(seconds)
        errors += answer is None
    return of_seconds(latencies, errors)


def of_seconds(latencies: list[float], errors: int) -> Sample:
    total = sum(latencies)
    return Sample.of(of_latencies(latencies, acknowledged=len(latencies) - errors, seconds=total, errors=errors))
