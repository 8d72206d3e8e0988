"""Measures one kind of row after the other on one target; every method yields finished rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from tests.bench import generators, grpc_generator, processes, wrk, yardsticks
from tests.bench.bars import BARE, INSERT, yardstick_of
from tests.bench.doors import DOORS, Door, new_tag
from tests.bench.figures import Sample
from tests.bench.plan import Plan
from tests.bench.rows import Facts, Row, judged, of_samples
from tests.bench.target import Target

# Entries that went through the queue are in the store when the listener has taken them. Seconds.
_QUEUE_LIMIT = 120.0
_STORE_LIMIT = 2.0

Run = Callable[[float], tuple[Sample, int]]
Ruler = Callable[[], float]


class Bench:
    """One run of the benchmark. The bare application of the yardstick F runs beside the target all the time, idle when not measured."""

    def __init__(self, target: Target, plan: Plan, stack: ExitStack) -> None:
        self.target = target
        self.plan = plan
        self.bracket = yardsticks.Bracket()
        self._bare = stack.enter_context(yardsticks.bare_flask(target.env)) if plan.wants_any_f else ""

    def doors(self, concurrency: int) -> Iterator[Row]:
        for door in DOORS:
            if self.plan.wants(door.name) and door.is_in(self.target) and self._may(door):
                yield from self._door(door, concurrency)

    def _may(self, door: Door) -> bool:
        """Mail of another system goes who knows where: only when it is asked for."""
        return door.kind != "mail" or self.target.is_own or door.name in self.plan.only

    def _door(self, door: Door, concurrency: int) -> Iterator[Row]:
        def run(seconds: float) -> tuple[Sample, int]:
            tag = new_tag()
            sample = wrk.run(door.request(self.target, tag), concurrency, seconds)
            return sample, self.lost(tag, sample.acknowledged * door.entries, door.counted)

        yield from self._measured(
            door.name, concurrency, run, door.unit, entries=door.entries, empty=bool(door.counted)
        )

    def jsonrpc(self, connections: int) -> Iterator[Row]:
        def run(seconds: float) -> tuple[Sample, int]:
            tag = new_tag()
            told = generators.run("jsonrpc_generator", self.target.rpc, connections, seconds, tag)
            return told.sample, self.lost(tag, told.in_all, "store")

        if self.target.rpc and self.plan.wants("jsonrpc"):
            yield from self._measured("jsonrpc", connections, run, "requests/s")

    def grpc_bulk(self, calls: int) -> Iterator[Row]:
        def run(seconds: float) -> tuple[Sample, int]:
            tag = new_tag()
            told = generators.run("grpc_generator", self.target.grpc, calls, seconds, tag)
            return told.sample, self.lost(tag, told.in_all * grpc_generator.ENTRIES, "store")

        if self.target.grpc and self.plan.wants("grpc-bulk"):
            yield from self._measured("grpc-bulk", calls, run, "entries/s", entries=grpc_generator.ENTRIES)

    def _measured(
        self, name: str, concurrency: int, run: Run, unit: str, *, entries: int = 1, empty: bool = True
    ) -> list[Row]:
        if self.target.is_own and self.target.store and empty:
            self.target.store.clear()  # never somebody else's entries
        ruler_name, ruler = self._ruler(name, concurrency)
        before = self.bracket.before(ruler_name, ruler) if ruler else None
        run(self.plan.warm_up)
        spent = processes.cpu_seconds(self.target.system)
        samples, lost = zip(*(run(self.plan.seconds) for _ in range(self.plan.runs)), strict=True)
        after = processes.cpu_seconds(self.target.system)
        facts = Facts(
            acknowledged=sum(sample.acknowledged for sample in samples) * entries,
            lost=sum(lost) if self.target.store else None,
            cpu_s=processes.spent_between(spent, after),
            pss_mib=processes.pss_mib(self.target.system),
        )
        mean = self.bracket.mean_after(ruler_name, before, ruler) if ruler and before is not None else None
        return of_samples(name, concurrency, samples, unit, entries=entries, yardstick_value=mean, facts=facts)

    def _ruler(self, row: str, concurrency: int) -> tuple[str, Ruler | None]:
        """How the row's yardstick is measured, and under which name; None when it cannot be here."""
        seconds, store = self.plan.yardstick_seconds, self.target.store
        match yardstick_of(row):
            case "F" if self._bare:
                return f"{BARE} c={concurrency}", lambda: yardsticks.bare_rate(self._bare, concurrency, seconds)
            case "M" if store:
                return INSERT, lambda: store.insert_rate(seconds)
            case _:
                return "", None

    def lost(self, tag: str, acknowledged: int, counted: str) -> int:
        """How many acknowledged entries are not in the store. More may be there: wrk leaves while its last requests are under way."""
        if not self.target.store or not counted:
            return 0
        limit = _QUEUE_LIMIT if counted == "later" else _STORE_LIMIT
        return max(0, acknowledged - self.target.store.settled(tag, acknowledged, limit))

    def yardsticks(self) -> Iterator[Row]:
        """What was measured between the rows, and F under other settings."""
        for name, values in self.bracket.seen.items():
            concurrency = int(name.partition("c=")[2] or 2)
            unit = "documents/s" if name == INSERT else "requests/s"
            yield judged(name.split()[0], concurrency, values, unit)
        if self._bare and self.plan.with_variants:
            yield from self._variants()

    def _variants(self) -> Sequence[Row]:
        rows = []
        for name, changes in yardsticks.variants().items():
            with yardsticks.bare_flask(self.target.env, **changes) as url:
                yardsticks.bare_rate(url, 64, self.plan.warm_up)
                rows.append(
                    judged(name, 64, [yardsticks.bare_rate(url, 64, self.plan.yardstick_seconds)], "requests/s")
                )
        return rows

    def settle(self) -> None:
        """A system that has just started is still busy with itself."""
        time.sleep(self.plan.settle_seconds)
