"""What searching costs those who write: doors with all entries, all indexes and the keeper at work, against an empty store without them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

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


@dataclass
class _Side:
    """All runs of a door on one of the two stores."""

    samples: list[Sample] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    lost: int = 0

    def run(self, bench: Bench, door: Door) -> None:
        wrk.run(door.request(bench.target, new_tag()), CONCURRENCY, bench.plan.warm_up)
        tag = new_tag()
        spent = processes.cpu_seconds(bench.target.system)
        sample = wrk.run(door.request(bench.target, tag), CONCURRENCY, bench.plan.seconds)
        used = processes.spent_between(spent, processes.cpu_seconds(bench.target.system))
        self.cpu_s = {name: round(self.cpu_s.get(name, 0.0) + used.get(name, 0.0), 2) for name in self.cpu_s | used}
        self.samples.append(sample)
        self.lost += bench.lost(tag, sample.acknowledged * door.entries, door.counted)


def _compared(bench: Bench, door: Door, system: System, store: Store) -> list[Row]:
    full, empty = _Side(), _Side()
    for _ in range(bench.plan.runs):
        full.run(bench, door)
        with _as_before(system, store):
            empty.run(bench, door)
    compared = slowdown(full.samples, empty.samples)
    return [_row(bench, f"{door.name} empty", door, empty), _row(bench, f"{door.name} seeded", door, full, compared)]


def slowdown(full: Sequence[Sample], empty: Sequence[Sample]) -> float | None:
    """The median of the pairs, each measured within seconds; None when a door took nothing."""
    if not all(sample.rate for sample in empty):
        return None
    return statistics.median(one.rate / other.rate for one, other in zip(full, empty, strict=True))


def _row(bench: Bench, name: str, door: Door, side: _Side, compared: float | None = None) -> Row:
    """`compared`: the row's ratio; the yardstick is what goes with it."""
    middle = median_sample(side.samples)
    rates = [sample.rate * door.entries for sample in side.samples]
    yardstick = statistics.median(rates) / compared if compared else None
    facts = Facts(lost=side.lost, cpu_s=side.cpu_s, pss_mib=processes.pss_mib(bench.target.system))
    return judged(
        name,
        CONCURRENCY,
        rates,
        door.unit,
        yardstick_value=yardstick,
        errors=middle.errors,
        latency=middle,
        facts=facts,
    )


@contextmanager
def _as_before(system: System, store: Store) -> Iterator[None]:
    system.stop("keeper")
    try:
        with store.set_aside(BEFORE_SEARCHING):
            yield
    finally:
        system.start("keeper")
