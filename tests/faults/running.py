"""All rows on a system of their own, with proxies between its parts; a last look at the end for what arrived late."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults import report
from tests.faults.doors import Door
from tests.faults.inject import PARTS, Stage
from tests.faults.network import Network
from tests.faults.row import Row, run_row
from tests.faults.store import Store
from tests.system import System
from tests.waiting import eventually

WHOLE_SECONDS = 90.0


class FaultsError(Exception):
    """A row could not be carried out; the message says why."""


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run_all(
    selection: Sequence[tuple[str, str]],
    doors: Sequence[Door],
    *,
    state: Path,
    runs: int,
    calm: float,
    out: Path | None,
) -> list[Row]:
    """Every selected row `runs` times. Writes `out` after each row, so that an interrupted run leaves what it has."""
    system = System(state)
    rows: list[Row] = []
    with Network(system.instance) as network:
        say("starting a system of its own")
        system.up("--through", network.through)
        try:
            stage = Stage(system, network)
            say(report.heading())
            for run in range(1, runs + 1):
                for part, fault in selection:
                    rows.append(_one(stage, part, fault, doors, calm=calm, run=run))
                    _show(rows[-1])
                    if out:
                        report.write(out, rows)
            _look_again(system, rows)
        finally:
            network.restore()
            system.down()
    if out:
        report.write(out, rows)
    return rows


def _one(stage: Stage, part: str, fault: str, doors: Sequence[Door], *, calm: float, run: int) -> Row:
    wait_until_whole(stage.system)
    try:
        row = run_row(stage, part, fault, doors, calm=calm)
    except AssertionError as error:
        raise FaultsError(f"{part} {fault}: {error}") from error
    row.run = run
    return row


def wait_until_whole(system: System) -> None:
    """Returns when every part is ready; a row starts on a system that the row before has not left broken."""
    try:
        eventually(lambda: all(system.part(part)["state"] == "ready" for part in PARTS), seconds=WHOLE_SECONDS)
    except AssertionError as error:
        states = {part: system.part(part)["state"] for part in PARTS}
        raise FaultsError(f"not ready within {WHOLE_SECONDS:.0f} s: {states}") from error


def _show(row: Row) -> None:
    say(f"{report.line(row)}  ({row.seconds:.0f} s, {time.strftime('%H:%M:%S')})")
    for finding in report.findings(row):
        say(f"    {finding}")


def _look_again(system: System, rows: Sequence[Row]) -> None:
    """The rows' verdicts once more: a copy may come when nobody looks any longer."""
    with Store(system.env) as store:
        for row in rows:
            before = row.verdict
            row.verdict = store.verdict(row.ledger)
            if row.verdict != before:
                row.notes.append("the store changed after the row had ended")
                _show(row)
