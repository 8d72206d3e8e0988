"""The table for people and the rows for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults.row import Row

HEADINGS = (
    "part",
    "fault",
    "acked",
    "stored",
    "lost",
    "dup",
    "again",
    "back s",
    "login",
    "mail",
    "errors seen by clients",
)
WIDTHS = (15, 8, 7, 7, 5, 4, 6, 7, 7, 7, 0)
LEGEND = """\
acked: entries that a writer was told are stored, queued or spooled; stored: entries found in MongoDB, acknowledged or not;
lost: acknowledged and not there; dup: entries with an id that are there more than once;
again: copies of entries without an id, for which at-least-once is promised;
back: seconds from the end of the fault (of a kill or restart: from its beginning) until every door works again."""


def heading() -> str:
    return _line(HEADINGS)


def line(row: Row) -> str:
    verdict = row.verdict
    back = row.seconds_until_back
    probes = [
        f"{tally.good}/{tally.good + tally.errors.total()}" for tally in (row.probes["login"], row.probes["mail"])
    ]
    cells = (
        row.part,
        row.fault,
        verdict.acknowledged,
        verdict.stored,
        len(verdict.lost),
        len(verdict.duplicated),
        len(verdict.repeated),
        "never" if back is None else f"{back:.1f}",
        *probes,
        _errors(row.ledger.errors),
    )
    return _line(cells)


def findings(row: Row) -> list[str]:
    """What is wrong with a row, in words."""
    said = [f"lost: {each}" for each in row.verdict.lost[:10]]
    said += [f"duplicated: {each}" for each in row.verdict.duplicated[:10]]
    said += [f"wrong: {each}" for each in row.verdict.wrong[:10]]
    said += [f"never said by a correct system: {kind} ({count})" for kind, count in row.ledger.unexpected.items()]
    said += [f"not back within a minute: {door}" for door, seconds in row.back.items() if seconds is None]
    if row.dead_letters:
        said.append(f"{row.dead_letters} dead letters")
    return said + row.notes


def totals(rows: Sequence[Row]) -> str:
    verdicts = [row.verdict for row in rows]
    cells = (
        "total",
        f"{len(rows)} rows",
        sum(verdict.acknowledged for verdict in verdicts),
        sum(verdict.stored for verdict in verdicts),
        sum(len(verdict.lost) for verdict in verdicts),
        sum(len(verdict.duplicated) for verdict in verdicts),
        sum(len(verdict.repeated) for verdict in verdicts),
        "never" if any(row.seconds_until_back is None for row in rows) else f"{_slowest(rows):.1f}",
        *(f"{sum(row.probes[action].good for row in rows)}" for action in ("login", "mail")),
        _errors(sum((row.ledger.errors for row in rows), Counter())),
    )
    return _line(cells)


def write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text(json.dumps([row.as_json() for row in rows], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _slowest(rows: Sequence[Row]) -> float:
    return max((row.seconds_until_back or 0.0 for row in rows), default=0.0)


def _errors(errors: Counter[str]) -> str:
    shown = ", ".join(f"{count} {kind[:40]}" for kind, count in errors.most_common(6))
    return shown or "none"


def _line(cells: Sequence[object]) -> str:
    placed = []
    for number, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True)):
        text = str(cell)
        placed.append(text.rjust(width) if 2 <= number < len(cells) - 1 else text.ljust(width))
    return "  ".join(placed)
