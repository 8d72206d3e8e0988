"""How fast the listener takes what has piled up in RabbitMQ into the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from protos.topics import log_key
from tests.bench.doors import entry, new_tag
from tests.bench.figures import Sample
from tests.bench.store import Store
from tests.bench.wrk import GeneratorError
from tests.system import System
from tests.worker.rabbit import connected

_CHUNK = 1_000
_LOOK_EVERY = 0.02
_LIMIT = 180.0
# Seconds and entries in the store at that moment.
Look = tuple[float, int]


def drained(system: System, store: Store, amqp: str, count: int) -> tuple[Sample, int]:
    """Publishes `count` persistent, confirmed messages while no listener runs, then starts it. Returns the rate and how many were lost.

    The time is from the first entries seen in the store to the last: the start of the listener's process is not in it.
    Raises GeneratorError when the queue does not run empty within three minutes.
    """
    system.stop("worker")
    store.clear()
    tag = new_tag()
    _publish(amqp, tag, count)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(system.start, "worker")
        looks = watch(store.total, count, limit=_LIMIT)
        starting.result()
    lost = count - store.count(tag)
    if looks[-1][1] < count:
        raise GeneratorError(f"only {looks[-1][1]} of {count} messages arrived in the store within {_LIMIT:.0f} s")
    rate, seconds = rate_of(looks, count)
    return Sample(acknowledged=round(rate * seconds), seconds=seconds, p50_ms=0, p95_ms=0, p99_ms=0), lost


def _publish(amqp: str, tag: str, count: int) -> None:
    with connected(amqp) as rabbit:
        for first in range(0, count, _CHUNK):
            bodies = (_body(tag, number) for number in range(first, min(first + _CHUNK, count)))
            rabbit.publish(*bodies, key=log_key("INFO"))


def _body(tag: str, number: int) -> bytes:
    name = f"{tag}-{number:010d}"
    return json.dumps({**entry(name), "id": name}).encode()


def watch(count: Callable[[], int], wanted: int, *, limit: float) -> list[Look]:
    """Looks until the store holds `wanted` entries, at most `limit` seconds."""
    began = time.monotonic()
    looks: list[Look] = []
    while not looks or (looks[-1][1] < wanted and looks[-1][0] < limit):
        looks.append((time.monotonic() - began, count()))
        time.sleep(_LOOK_EVERY)
    return looks


def rate_of(looks: Sequence[Look], wanted: int) -> tuple[float, float]:
    """Entries per second and the seconds, from the last look at an unchanged store to the first at a full one.

    The last empty look is when the first batch cannot have been there yet, so the rate is rather too low than too high.
    """
    first = next(index for index, (_, seen) in enumerate(looks) if seen > 0)
    began, already = looks[max(0, first - 1)]
    ended = next(at for at, seen in looks if seen >= wanted)
    seconds = max(ended - began, _LOOK_EVERY)
    return (wanted - already) / seconds, seconds
