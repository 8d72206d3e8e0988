"""The rows of a JSON file as the table of docs/faults.md: `python -m tests.faults.table rows.json`."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
HEAD = """\
| part | fault | acknowledged | lost | duplicated | repeated | back, s | logins | mails | failed calls |
|---|---|---|---|---|---|---|---|---|---|"""


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each part and fault; several runs are added up, of their times the longest is shown."""
    together: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        together[row["part"], row["fault"]].append(row)
    yield HEAD
    for (part, fault), group in together.items():
        yield _line(part, fault, group)
    yield _line("**total**", f"{len(rows)} rows", rows)


def _line(part: str, fault: str, rows: Sequence[Row]) -> str:
    times = [row["seconds_until_back"] for row in rows]
    back = "never" if None in times else f"{max(times):.1f}"
    sums = [sum(row[name] for row in rows) for name in ("acknowledged", "lost", "duplicated", "repeated_without_id")]
    errors = sum(sum(row["errors"].values()) for row in rows)
    cells = [part, fault, *map(str, sums), back, _share(rows, "login"), _share(rows, "mail"), str(errors)]
    return f"| {' | '.join(cells)} |"


def _share(rows: Sequence[Row], action: str) -> str:
    good = sum(row[action]["good"] for row in rows)
    return f"{good} of {good + sum(sum(row[action]['errors'].values()) for row in rows)}"


if __name__ == "__main__":
    for line in lines(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))):
        sys.stdout.write(f"{line}\n")
