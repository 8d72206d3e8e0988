"""One line of the result, and what the table of bars says about it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.bars import Bar, bar_of, yardstick_of
from tests.bench.figures import Sample, median_sample


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio` is `value` over the yardstick; `met` and `aim_met` are None where no bar applies.

    `pushed_back` says how many of the errors were refusals for lack of room.
    `lost` counts entries that were acknowledged and are not in the store; None when nobody looked.
    """

    name: str
    concurrency: int
    value: float
    unit: str
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    errors: int = 0
    pushed_back: int = 0
    yardstick: str | None = None
    yardstick_value: float | None = None
    ratio: float | None = None
    must: float | None = None
    aim: float | None = None
    met: bool | None = None
    aim_met: bool | None = None
    lower_is_better: bool = False
    runs: list[float] = field(default_factory=list)
    acknowledged: int | None = None
    lost: int | None = None
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    pss_mib: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {name: _rounded(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a row beside its speed."""

    acknowledged: int | None = None
    lost: int | None = None
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    pss_mib: Mapping[str, float] = field(default_factory=dict)


def judged(
    name: str,
    concurrency: int,
    values: Sequence[float],
    unit: str,
    *,
    yardstick_value: float | None = None,
    errors: int = 0,
    latency: Sample | None = None,
    facts: Facts = Facts(),
) -> Row:
    """The row of the median of `values`, with its verdict: a bar is met only without an error and a loss, and when there was something
    to measure.
    """
    value, bar, yardstick = statistics.median(values), bar_of(name, concurrency), yardstick_of(name)
    ratio = value / yardstick_value if yardstick_value else None
    sound = value > 0 and not errors and not facts.lost
    verdict = _verdict(bar, ratio if bar.yardstick else value, sound=sound) if bar else {}
    times = {key: getattr(latency, key) for key in ("p50_ms", "p95_ms", "p99_ms")} if latency else {}
    return Row(
        name=name,
        concurrency=concurrency,
        value=value,
        unit=unit,
        errors=errors,
        pushed_back=latency.pushed_back if latency else 0,
        yardstick=yardstick or None,
        yardstick_value=yardstick_value,
        ratio=ratio,
        runs=[round(each, 1) for each in values],
        acknowledged=facts.acknowledged,
        lost=facts.lost,
        cpu_s=facts.cpu_s,
        pss_mib=facts.pss_mib,
        **times,
        **verdict,
    )


def _verdict(bar: Bar, compared: float | None, *, sound: bool) -> dict[str, Any]:
    """`compared` is None when the yardstick could not be measured; there is no verdict then."""
    told: dict[str, Any] = {"must": bar.must, "aim": bar.aim, "lower_is_better": bar.lower_is_better}
    if compared is not None:
        told["met"] = sound and reaches(compared, bar.must, lower_is_better=bar.lower_is_better)
        told["aim_met"] = sound and reaches(compared, bar.aim, lower_is_better=bar.lower_is_better)
    return told


def reaches(value: float, limit: float, *, lower_is_better: bool) -> bool:
    return value <= limit if lower_is_better else value >= limit


def of_samples(
    name: str,
    concurrency: int,
    samples: Sequence[Sample],
    unit: str,
    *,
    entries: int = 1,
    yardstick_value: float | None = None,
    facts: Facts = Facts(),
) -> list[Row]:
    """The row of a door's speed, and the row of its p99 where that has a bar. `entries` is how many one request carries."""
    middle = median_sample(samples)
    rates = [sample.rate * entries for sample in samples]
    rows = [
        judged(
            name,
            concurrency,
            rates,
            unit,
            yardstick_value=yardstick_value,
            errors=middle.errors,
            latency=middle,
            facts=facts,
        )
    ]
    if bar_of(f"{name} p99", concurrency):
        slowest = [sample.p99_ms for sample in samples]
        rows.append(
            judged(f"{name} p99", concurrency, slowest, "ms", errors=middle.errors, facts=Facts(lost=facts.lost))
        )
    return rows


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
