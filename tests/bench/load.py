"""`make load`: ten minutes at a constant rate through the broker's log door, and what they leave behind."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.bench import processes
from tests.bench.doors import LOG_DOOR, new_tag
from tests.bench.target import Target
from tests.bench.wrk import GeneratorError
from tests.system import ROOT

# The promise of the load, in milliseconds.
P95_MS, P99_MS = 100.0, 500.0
# What may be gained from the second minute to the last ones: the first minute fills pools and caches. A few descriptors are noise.
GROWTH, FEW_DESCRIPTORS = 0.05, 3
_LAST = 2
_STORE_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Minute:
    """Requests that were due in this minute; memory and descriptors of each part at its end."""

    acknowledged: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    latest_send_ms: float
    pss_mib: Mapping[str, float] = field(default_factory=dict)
    descriptors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """`services` are the parts whose memory and descriptors must not grow; a database's cache does, up to its limit."""

    minutes: Sequence[Minute]
    services: Sequence[str]
    lost: int | None
    generator_cpu: float

    def faults(self) -> list[str]:
        """Every promise that was not kept."""
        found = []
        for number, minute in enumerate(self.minutes, 1):
            found += [f"minute {number}: {minute.errors} errors"] if minute.errors else []
            for name, limit in (("p95_ms", P95_MS), ("p99_ms", P99_MS)):
                if (value := getattr(minute, name)) >= limit:
                    found.append(
                        f"minute {number}: {name.removesuffix('_ms')} {value:.0f} ms, must be < {limit:.0f} ms"
                    )
        return (
            found + self._growth() + ([f"{self.lost} acknowledged entries are not in the store"] if self.lost else [])
        )

    def _growth(self) -> list[str]:
        if not self.can_tell_growth:
            return []
        found = []
        for name in self.services:
            memory = growth([minute.pss_mib.get(name, 0) for minute in self.minutes])
            files = [minute.descriptors.get(name, 0) for minute in self.minutes]
            found += [f"{name}: memory grew by {memory:.1%}"] if memory >= GROWTH else []
            if growth(files) >= GROWTH and files[-1] - files[1] > FEW_DESCRIPTORS:
                found.append(f"{name}: descriptors grew from {files[1]} to {files[-1]}")
        return found

    @property
    def can_tell_growth(self) -> bool:
        return len(self.minutes) >= _LAST + 2

    @property
    def met(self) -> bool:
        return bool(self.minutes) and not self.faults()

    def verdict(self) -> str:
        faults = self.faults()
        remark = "" if self.can_tell_growth else " (too short to tell whether memory is flat)"
        return ("not met: " + "; ".join(faults) if faults else "met") + remark

    def as_json(self) -> dict[str, Any]:
        told = {"minutes": [asdict(minute) for minute in self.minutes], "lost": self.lost}
        return told | {"generator_cpu": self.generator_cpu, "met": self.met, "faults": self.faults()}


def growth(values: Sequence[float]) -> float:
    """From the second value to the mean of the last two, as a part of the second."""
    second, last = values[1], statistics.mean(values[-_LAST:])
    return (last - second) / second if second else 0.0


def run_load(target: Target, *, minutes: int, rate: int, say: Callable[[str], None]) -> Result:
    """Raises GeneratorError."""
    tag = new_tag()
    request = LOG_DOOR.request(target, tag)
    seen: list[Minute] = []
    before = processes.cpu_seconds(None)[processes.GENERATOR]
    with tempfile.NamedTemporaryFile(suffix=".http") as file:
        file.write(request.raw())
        file.flush()
        address = urlsplit(request.url).netloc
        command = [sys.executable, "-m", "tests.bench.rate_generator", file.name, address, str(rate), str(minutes)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as generator:
            try:
                for text in generator.stdout or ():
                    seen.append(_minute(target, json.loads(text)))
                    say(line(len(seen), seen[-1]))
            except BaseException:
                generator.kill()
                raise
    if generator.returncode or len(seen) < minutes:
        raise GeneratorError("the rate generator ended early; its last words are above")
    spent = processes.cpu_seconds(None)[processes.GENERATOR] - before
    acknowledged = sum(minute.acknowledged for minute in seen)
    services = [part.name for part in processes.parts_of(target.system) if part.is_service] if target.system else []
    lost = acknowledged - target.store.settled(tag, acknowledged, _STORE_LIMIT) if target.store else None
    return Result(seen, services, None if lost is None else max(0, lost), round(spent / (minutes * 60), 3))


def _minute(target: Target, told: dict[str, Any]) -> Minute:
    figures = {name: told[name] for name in ("acknowledged", "errors", "p50_ms", "p95_ms", "p99_ms", "max_ms")}
    descriptors = processes.descriptors(target.system) if target.system else {}
    memory = processes.pss_mib(target.system)
    return Minute(**figures, latest_send_ms=told["latest_send_ms"], pss_mib=memory, descriptors=descriptors)


def line(number: int, minute: Minute) -> str:
    memory = "  ".join(f"{name} {value:.0f}" for name, value in minute.pss_mib.items())
    files = "  ".join(f"{name} {value}" for name, value in minute.descriptors.items())
    return (
        f"minute {number}: {minute.acknowledged} acknowledged, {minute.errors} errors, p50 {minute.p50_ms:.1f}"
        f" p95 {minute.p95_ms:.1f} p99 {minute.p99_ms:.1f} max {minute.max_ms:.1f} ms"
        f" (latest send {minute.latest_send_ms:.1f} ms)\n  MiB: {memory}\n  descriptors: {files}"
    )
