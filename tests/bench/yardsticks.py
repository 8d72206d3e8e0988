"""What this machine can do at all, measured in the same run as what is set against it."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import bcrypt
import requests

from tests.bench import wrk
from tests.services import free_port
from tests.system import ROOT
from tests.waiting import eventually

_BODY = f'{{"name":"bench-{wrk.MARK}","data":"entry {wrk.MARK}: user 4711 opened order 4242 from 10.0.0.7"}}'
_COST = 12
_CHECKS = 5
# A measurement this young still holds for the next row. Seconds.
_FRESH = 20.0


@contextmanager
def bare_flask(env: Mapping[str, str], **changes: str) -> Iterator[str]:
    """The URL of a bare application under the broker's gunicorn settings, but for `changes` (see bare/gunicorn.conf.py)."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "tests/bench/bare/gunicorn.conf.py", "tests.bench.bare.wsgi:app"],
        cwd=ROOT,
        env={**os.environ, **env, "BROKER_PORT": str(port), **changes},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        eventually(lambda: requests.post(url, json={"name": "bench"}, timeout=2).ok, seconds=30)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def bare_rate(url: str, concurrency: int, seconds: float) -> float:
    """F, in requests/s."""
    return wrk.run(wrk.Request(url, _BODY), concurrency, seconds).rate


def variants() -> dict[str, dict[str, str]]:
    """Other gunicorn settings under which F is shown for comparison, as far as their packages are there."""
    found = {"F gthread 2x8": {"BENCH_WORKER_CLASS": "gthread", "BENCH_WORKERS": "2", "BENCH_THREADS": "8"}}
    if importlib.util.find_spec("gevent"):
        found["F gevent 2"] = {"BENCH_WORKER_CLASS": "gevent", "BENCH_WORKERS": "2"}
    return found


def bcrypt_seconds() -> float:
    """B: seconds of one check, single thread; the median of a few."""
    hashed = bcrypt.hashpw(b"verysecret", bcrypt.gensalt(_COST))
    taken = []
    for _ in range(_CHECKS):
        began = time.perf_counter()
        bcrypt.checkpw(b"verysecret", hashed)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def possible_logins(seconds: float, concurrency: int) -> float:
    """Logins/s that bcrypt allows: one caller at a time can keep only one core busy."""
    return min(concurrency, cores()) / seconds


class Bracket:
    """Measures a yardstick right before and right after a row, because the machine's speed drifts; a row's yardstick is the mean.

    Rows that follow each other share the measurement between them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, tuple[float, float]] = {}
        self.seen: dict[str, list[float]] = {}

    def before(self, name: str, measure: Callable[[], float]) -> float:
        value, at = self._last.get(name, (0.0, float("-inf")))
        return value if self._clock() - at < _FRESH else self._measure(name, measure)

    def mean_after(self, name: str, before: float, measure: Callable[[], float]) -> float:
        return (before + self._measure(name, measure)) / 2

    def _measure(self, name: str, measure: Callable[[], float]) -> float:
        value = measure()
        self._last[name] = (value, self._clock())
        self.seen.setdefault(name, []).append(value)
        return value
