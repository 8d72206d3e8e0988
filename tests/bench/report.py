"""The result as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compose.local.terminal import columns
from tests.bench.rows import Row

_HEAD = ("row", "c", "value", "unit", "p50 ms", "p95 ms", "p99 ms", "errors", "lost", "ratio", "must", "aim", "met")


def table(rows: Sequence[Row]) -> list[str]:
    return columns([_HEAD, *map(_cells, rows)])


def line(row: Row) -> str:
    """One row at once, while the rest is still being measured."""
    cells = _cells(row)
    parts = [f"{cells[0]:30} c={cells[1]:3} {cells[2]:>9} {cells[3]:12}"]
    if row.p99_ms is not None:
        parts.append(f"p50 {cells[4]} p95 {cells[5]} p99 {cells[6]} ms")
    parts += [
        f"{label} {value}"
        for label, value in (("errors", row.errors), ("pushed back", row.pushed_back), ("LOST", row.lost))
        if value
    ]
    if row.ratio is not None:
        parts.append(f"= {cells[9]}")
    if row.must is not None:
        parts.append(f"must {cells[10]} aim {cells[11]}: {cells[12]}")
    return "  ".join(parts)


def _cells(row: Row) -> tuple[str, ...]:
    ratio = f"{row.ratio:.2f} {row.yardstick}" if row.ratio is not None else ""
    sign = {True: "<= ", False: ""}[row.lower_is_better]
    return (
        row.name,
        str(row.concurrency),
        number(row.value),
        row.unit,
        *("" if value is None else number(value) for value in (row.p50_ms, row.p95_ms, row.p99_ms)),
        str(row.errors or ""),
        str(row.lost or ""),
        ratio,
        "" if row.must is None else f"{sign}{number(row.must)}",
        "" if row.aim is None else f"{sign}{number(row.aim)}",
        verdict(row),
    )


def verdict(row: Row) -> str:
    if row.met is None:
        return "" if row.must is None else "unknown"
    return "no" if not row.met else "aim" if row.aim_met else "yes"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def summary(rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.met is not None]
    met, aims = sum(bool(row.met) for row in judged), sum(bool(row.aim_met) for row in judged)
    text = f"{met} of {len(judged)} bars met, {aims} of them with their aim"
    missed = ", ".join(f"{row.name} c={row.concurrency}" for row in judged if not row.met)
    lost = sum(row.lost or 0 for row in rows)
    return text + (f"; missed: {missed}" if missed else "") + (f"; LOST ENTRIES: {lost}" if lost else "")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of a written result as a table for docs/performance.md."""
    lines = [
        "| row | c | measured | p50 / p95 / p99 ms | ratio | must | aim | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for told in rows:
        cells = _cells(Row(**told))
        times = " / ".join(cells[4:7]) if cells[6] else ""
        lines.append(f"| {' | '.join((f'`{cells[0]}`', cells[1], f'{cells[2]} {cells[3]}', times, *cells[9:]))} |")
    return "\n".join(lines)


def write(path: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "rows": [row.as_json() for row in rows]}, indent=1) + "\n")
