"""One row: writers at every door, a fault in the middle, until every door works again; then the comparison."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.availability import Prober, Tally
from tests.faults.comparing import Verdict
from tests.faults.doors import Door
from tests.faults.inject import FAULTS, Stage, parts_of
from tests.faults.ledger import Fault, Ledger, seconds_until_back
from tests.faults.store import Store, drained
from tests.faults.writing import LAST_SECONDS, Writer
from tests.waiting import eventually

WARM_SECONDS = 60.0
# Load before the fault and after everything works again.
CALM_SECONDS = 2.0
BACK_SECONDS = 60.0


@dataclass(slots=True)
class Row:
    """Seconds count from the end of the fault (of a kill or a restart: from its beginning); None: not within a minute."""

    part: str
    fault: str
    ledger: Ledger
    verdict: Verdict
    back: dict[str, float | None]
    probes: dict[str, Tally]
    dead_letters: int
    seconds: float
    run: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good

    @property
    def seconds_until_back(self) -> float | None:
        times = [seconds for seconds in self.back.values() if seconds is not None]
        return max(times, default=0.0) if len(times) == len(self.back) else None

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "part": self.part,
            "fault": self.fault,
            "acknowledged": self.verdict.acknowledged,
            "stored": self.verdict.stored,
            "lost": len(self.verdict.lost),
            "duplicated": len(self.verdict.duplicated),
            "repeated_without_id": len(self.verdict.repeated),
            "wrong": len(self.verdict.wrong),
            "seconds_until_back": _rounded(self.seconds_until_back),
            "errors": dict(self.ledger.errors),
            "unexpected": dict(self.ledger.unexpected),
            "dead_letters": self.dead_letters,
            "doors": {door: self._door(door) for door in self.back},
            **{action: tally.as_json() for action, tally in self.probes.items()},
            "evidence": [*self.verdict.lost, *self.verdict.duplicated, *self.verdict.wrong][:50],
            "seconds": _rounded(self.seconds),
        }

    def _door(self, door: str) -> dict[str, Any]:
        entries = [entry for entry in self.ledger.entries if entry.door == door]
        calls = self.ledger.calls_of(door)
        places = sorted({entry.place for entry in entries if entry.place})
        return {
            "sent": len(entries),
            "acknowledged": {place: sum(entry.place == place for entry in entries) for place in places},
            "failed_calls": sum(bool(call.error) for call in calls),
            "slowest_call": _rounded(max((call.ended - call.began for call in calls), default=0.0)),
            "seconds_until_back": _rounded(self.back[door]),
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def run_row(stage: Stage, part: str, fault: str, doors: Sequence[Door], *, calm: float = CALM_SECONDS) -> Row:
    """The system must be whole when it is called."""
    began = time.monotonic()
    ledger = Ledger()
    writers = [Writer(door, stage.system.env, ledger) for door in doors]
    probers = [Prober(action, stage.system.env, ledger) for action in ("login", "mail")]
    with Store(stage.system.env) as store:
        dead_before = store.dead_letters()
        for each in (*writers, *probers):
            each.start()
        try:
            happened = _carry_out(stage, part, fault, ledger, doors, calm)
        finally:
            for each in (*writers, *probers):
                each.stop()
            for each in (*writers, *probers):
                each.join(LAST_SECONDS + 20)
        verdict = drained(store, ledger)
        dead = store.dead_letters() - dead_before
    back = {door.name: seconds_until_back(ledger.calls_of(door.name), happened) for door in doors}
    probes = {prober.action: prober.tally for prober in probers}
    return Row(part, fault, ledger, verdict, back, probes, dead, time.monotonic() - began)


def _carry_out(stage: Stage, part: str, fault: str, ledger: Ledger, doors: Sequence[Door], calm: float) -> Fault:
    start = time.monotonic()
    eventually(lambda: all(ledger.works(door.name, since=start, calls=1) for door in doors), seconds=WARM_SECONDS)
    _load(calm)
    happened = FAULTS[fault](stage, part)
    limit = happened.ended + BACK_SECONDS
    while time.monotonic() < limit and not _is_whole(stage, part, ledger, doors, happened):
        time.sleep(0.1)
    _load(calm)
    return happened


def _is_whole(stage: Stage, part: str, ledger: Ledger, doors: Sequence[Door], happened: Fault) -> bool:
    works = all(ledger.works(door.name, since=happened.ended) for door in doors)
    return works and all(stage.system.part(name)["state"] == "ready" for name in parts_of(part))


def _load(seconds: float) -> None:
    """A stretch of the measurement, not a wait for a condition."""
    time.sleep(seconds)
