"""What searching costs those who write: doors with all entries, all indexes and the keeper at work, against an empty store without them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench import processes, wrk
from tests.bench.doors import DOORS, LOG_DOOR, Door, new_tag
from tests.bench.figures import Sample, median_sample
from tests.bench.measuring import Bench
from tests.bench.rows import Facts, Row, judged
from tests.bench.store import BEFORE_SEARCHING, Store
from tests.system import System

_WRITTEN = ("handle-log", "logger-log", "logger-bulk")
CONCURRENCY = 64


def rows(bench: Bench) -> Iterator[Row]:
    """Both by turns, because the machine's speed drifts."""
    system, store = bench.target.system, bench.target.store
    if not (bench.plan.wants("search-writes") and system and store):
        return
    # so that the keeper has something to do all the time, as when writers never pause
    wrk.run(LOG_DOOR.request(bench.target, new_tag()), CONCURRENCY, bench.plan.written_before)
    for door in (door for door in DOORS if door.name in _WRITTEN):
        yield from _compared(bench, door, system, store)


def _compared(bench: Bench, door: Door, system: System, store: Store) -> list[Row]:
    full, empty, lost = [], [], 0
    used: dict[str, float] = {}
    for _ in range(bench.plan.runs):
        spent = processes.cpu_seconds(system)
        sample, missing = _run(bench, door)
        for part, seconds in processes.spent_between(spent, processes.cpu_seconds(system)).items():
            used[part] = round(used.get(part, 0.0) + seconds, 2)
        full.append(sample)
        with _as_before(system, store):
            alone, more = _run(bench, door)
        empty.append(alone)
        lost += missing + more
    memory = processes.pss_mib(system)
    rate = statistics.median(sample.rate for sample in empty) * door.entries
    return [
        _row(f"{door.name} {name}", door, samples, facts, compared)
        for name, samples, facts, compared in (
            ("empty", empty, Facts(lost=0), None),
            ("seeded", full, Facts(lost=lost, cpu_s=used, pss_mib=memory), rate),
        )
    ]


def _row(name: str, door: Door, samples: list[Sample], facts: Facts, compared: float | None) -> Row:
    middle = median_sample(samples)
    rates = [sample.rate * door.entries for sample in samples]
    return judged(
        name, CONCURRENCY, rates, door.unit, yardstick_value=compared, errors=middle.errors, latency=middle, facts=facts
    )


def _run(bench: Bench, door: Door) -> tuple[Sample, int]:
    wrk.run(door.request(bench.target, new_tag()), CONCURRENCY, bench.plan.warm_up)
    tag = new_tag()
    sample = wrk.run(door.request(bench.target, tag), CONCURRENCY, bench.plan.seconds)
    return sample, bench.lost(tag, sample.acknowledged * door.entries, door.counted)


@contextmanager
def _as_before(system: System, store: Store) -> Iterator[None]:
    system.stop("keeper")
    try:
        with store.set_aside(BEFORE_SEARCHING):
            yield
    finally:
        system.start("keeper")
