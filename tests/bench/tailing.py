"""How long an entry takes from its writer to a reader who follows the log store, both through the broker.

The time counts from the sending: the entry is often there before its writer is told that it is stored.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlencode, urlsplit

import requests

from tests.bench import wrk
from tests.bench.asking import of_seconds
from tests.bench.doors import LOG_DOOR, new_tag
from tests.bench.figures import Sample
from tests.bench.measuring import Bench
from tests.bench.rows import Row, judged
from tests.waiting import eventually

_TAIL, _WRITE = "/api/v1/logs/tail", "/api/v1/logs"
# A stream says something every 15 s, whatever happens.
_SILENCE = 30.0
_ARRIVAL = 10.0
# Between two entries, never the same, so that they do not keep step with anything.
_PAUSE = 0.01, 0.08
_BESIDE = 1
_LEAD = 2.0


def rows(bench: Bench) -> Iterator[Row]:
    if not bench.plan.wants("search-tail"):
        return
    count = bench.plan.search_requests
    for name, is_busy in (("tail", False), ("tail beside a writer", True)):
        with ExitStack() as stack:
            if is_busy:
                seconds = _LEAD + count * sum(_PAUSE)
                stack.enter_context(wrk.Running(LOG_DOOR.request(bench.target, new_tag()), _BESIDE, seconds))
            sample = arrivals(bench.target.broker, count)
        yield judged(name, 1, [sample.p95_ms], "ms", errors=sample.errors, latency=sample)


def arrivals(broker: str, count: int) -> Sample:
    """Errors are entries that did not come, or came twice."""
    tag = new_tag()
    chance = random.Random(count)  # noqa: S311 - nothing is kept secret
    with _following(broker, tag) as seen, requests.Session() as session:
        sent = {}
        eventually(lambda: _written(session, broker, tag, "begin") and seen.get("begin"), every=0.2)
        for number in range(count):
            sent[str(number)] = _written(session, broker, tag, str(number))
            time.sleep(chance.uniform(*_PAUSE))
        with suppress(AssertionError):
            eventually(lambda: seen.keys() >= sent.keys(), seconds=_ARRIVAL)
        return judge(sent, seen)


def judge(sent: Mapping[str, float], seen: Mapping[str, Sequence[float]]) -> Sample:
    """From the moment at which each entry was sent, and those at which it came."""
    errors = sum(len(seen.get(number, ())) != 1 for number in sent)
    return of_seconds([seen[number][0] - at for number, at in sent.items() if number in seen], errors)


def _written(session: requests.Session, broker: str, tag: str, data: str) -> float:
    """When it was sent."""
    began = time.perf_counter()
    answer = session.post(f"{broker}{_WRITE}", json={"name": tag, "data": data}, timeout=_ARRIVAL)
    answer.raise_for_status()
    return began


@contextmanager
def _following(broker: str, name: str) -> Iterator[dict[str, list[float]]]:
    """A stream of the entries with this name: for each text the moments at which it came."""
    parts = urlsplit(broker)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SILENCE)
    connection.request("GET", f"{_TAIL}?{urlencode({'name': name, 'history': 0})}")
    stream = connection.getresponse()
    seen: dict[str, list[float]] = {}
    reader = threading.Thread(target=_read, args=(stream, seen), daemon=True)
    reader.start()
    try:
        yield seen
    finally:
        # closing alone would leave the reader's thread where it is
        connection.sock.shutdown(socket.SHUT_RDWR)
        reader.join(_ARRIVAL)
        connection.close()


def _read(stream: http.client.HTTPResponse, seen: dict[str, list[float]]) -> None:
    try:
        for line in stream:
            if line.startswith(b"data:") and b'"data":' in line:
                came = time.perf_counter()
                seen.setdefault(json.loads(line.removeprefix(b"data:"))["data"], []).append(came)
    except (OSError, ValueError, http.client.HTTPException):
        return  # closed at the end, or gone: then what was written does not come
