"""`make test-faults`: every part fails in every way while writers push through every door, and nothing acknowledged may be missing.

    python -m tests.faults [--only logger:kill,mongo] [--seconds 2] [--runs 3] [--out FILE]

The exit status is 1 when an acknowledged entry is missing or wrong, or one with an id is there twice, and 2 when a row could not be
carried out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# The runner's commands are started from a process that has gRPC's threads; it must not say so each time.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from tests.ending import end_by_exception
from tests.faults import report
from tests.faults.all_doors import DOORS
from tests.faults.inject import every_row, listed
from tests.faults.row import CALM_SECONDS, Row
from tests.faults.running import FaultsError, run_all, say


def main(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    selection = _selected(given.only)
    if not selection:
        say(f"nothing matches {given.only}; there are\n{listed()}")
        return 2
    state = given.state.resolve() if given.state else Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        rows = run_all(selection, DOORS, state=state, runs=given.runs, calm=given.seconds, out=given.out)
    except FaultsError as error:
        say(str(error))
        say(f"logs and data are kept in {state}")
        return 2
    return _conclude(rows, state, keep=given.state is not None)


def _conclude(rows: Sequence[Row], state: Path, *, keep: bool) -> int:
    """What is needed to find a cause is deleted only when there is nothing to find."""
    is_good = all(row.is_good for row in rows)
    say(report.totals(rows))
    say()
    say(report.LEGEND)
    if not is_good:
        say(f"logs and data are kept in {state}")
    elif not keep:
        shutil.rmtree(state)
    return 0 if is_good else 1


def _selected(only: str) -> list[tuple[str, str]]:
    """Rows by part, by fault as `:kill`, or by both as `mongo:kill`; all when nothing is named."""
    words = [word for word in only.replace(",", " ").split() if word]
    wanted = [(word.partition(":")[0], word.partition(":")[2]) for word in words] or [("", "")]
    return [
        (part, fault) for part, fault in every_row() if any(a in {"", part} and b in {"", fault} for a, b in wanted)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="the ledger test",
        epilog=f"parts and their faults:\n{listed()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="parts, faults or rows: logger,:kill,mongo:pause")
    parser.add_argument("--seconds", type=float, default=CALM_SECONDS, help="load before a fault and after all is well")
    parser.add_argument("--runs", type=int, default=1, help="how often all rows are run")
    parser.add_argument("--out", type=Path, help="write the rows as JSON to this file")
    parser.add_argument("--state", type=Path, help="keep data and logs of the system in this folder")
    return parser


if __name__ == "__main__":
    end_by_exception()
    sys.exit(main(sys.argv[1:]))
