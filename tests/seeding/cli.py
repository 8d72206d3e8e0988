"""`make seed-logs`: fills the log store of the running system with made-up entries.

    make seed-logs n=2000000 [hours=24] [out=FILE]

The entries are those of a busy day that ends now: about 200 names of 12 services, traces, structured data, words of a large vocabulary,
and words of which it is known how often they occur. They are the same in each run but for their times, their ids and the tag in the known
words; so what is added by a second run does not change what a word of the first one finds.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common.errors import AppError
from compose.local import control, environment, plan
from compose.local.paths import DEV, InstanceNameError, instance
from tests.seeding.needles import KINDS
from tests.seeding.recipe import Recipe
from tests.seeding.writing import PROCESSES, written

_SEED = 20_261_121
_TELL_EVERY = 5.0
# Ids count entries with six hexadecimal digits.
_MOST = 0xFFFFFF


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 written, 1 not all of it, 2 a wrong command line."""
    options = _parser().parse_args(arguments)
    try:
        mongo = options.mongo or _address(options.instance, options.state)
    except (control.NotRunningError, OSError):
        return _fail(f"the {options.instance} system is not running; start it with: make up")
    except InstanceNameError as problem:
        return _fail(str(problem))
    until = datetime.now(UTC).replace(microsecond=0)
    since = until - timedelta(hours=options.hours)
    recipe = Recipe(options.n, since, until, options.seed, options.tag or secrets.token_hex(3))
    try:
        told = _filled(recipe, mongo, options.processes)
    except AppError as error:
        return _fail(error.message)
    except KeyboardInterrupt:
        return 130
    if options.out:
        Path(options.out).write_text(json.dumps(told, indent=1) + "\n")
    _say(_summary(recipe, told))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.seeding", description=__doc__)
    parser.add_argument("-n", type=_count, default=2_000_000, help="entries; 2,000,000 unless told")
    parser.add_argument("--hours", type=_hours, default=24.0, help="the time they were created in; 24 unless told")
    parser.add_argument("--out", default="", help="write what was written there as JSON")
    parser.add_argument("--tag", default="", help="in all known words; drawn unless told")
    parser.add_argument("--seed", type=int, default=_SEED, help="another seed, other entries")
    parser.add_argument("--processes", type=_count, default=PROCESSES)
    parser.add_argument("--mongo", default="", help="the log store's database, instead of that of a running system")
    parser.add_argument("--instance", default=DEV, help="the running system")
    parser.add_argument("--state", default=None, help="the folder of its data")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"must be from 1 to {_MOST:,}")
    return number


def _hours(text: str) -> float:
    number = float(text)
    if not 0 < number <= 24 * 366:
        raise argparse.ArgumentTypeError("must be more than 0 and at most a year")
    return number


def _address(name: str, state: str | None) -> str:
    """Of the log store's database, with the logger's own rights. Raises NotRunningError, InstanceNameError or OSError."""
    at = instance(name, state)
    control.ask(at, "status")
    found = plan.load(at)
    return environment.printed_values(at, found.ports, found.values)["MONGO_URL"]


def _filled(recipe: Recipe, mongo: str, processes: int) -> dict[str, Any]:
    began, told_at, stored = time.monotonic(), time.monotonic(), 0
    for number, fresh in enumerate(written(recipe, mongo, processes=processes), 1):
        stored += fresh
        now = time.monotonic()
        if now - told_at >= (0.2 if sys.stdout.isatty() else _TELL_EVERY) or number == recipe.batches:
            _progress(stored, recipe.count, now - began, is_last=number == recipe.batches)
            told_at = now
    taken = time.monotonic() - began
    return {
        "entries": stored,
        "since": recipe.since.isoformat(),
        "until": recipe.until.isoformat(),
        "seed": recipe.seed,
        "tag": recipe.tag,
        "seconds": round(taken, 1),
        "rate": round(stored / taken),
        "needles": {kind: recipe.needles.occurrences(kind) for kind in KINDS},
    }


def _progress(done: int, wanted: int, seconds: float, *, is_last: bool) -> None:
    rate = done / seconds if seconds else 0
    left = f", {(wanted - done) / rate:.0f} s left" if rate and not is_last else ""
    line = f"{done:,} of {wanted:,} entries, {rate:,.0f}/s{left}"
    if sys.stdout.isatty():
        _say(f"\r\033[K{line}", end="\n" if is_last else "")
    else:
        _say(line)


def _summary(recipe: Recipe, told: dict[str, Any]) -> str:
    lines = [
        f"{told['entries']:,} entries from {told['since']} to {told['until']} in {told['seconds']} s, {told['rate']:,}/s",
        "words that occur so often, for a search in `data`:",
    ]
    for kind in KINDS:
        words = recipe.needles.kinds[kind]
        lines.append(f"  {len(recipe.needles.places[words[0]]):>5,} times: {words[0]} to {words[-1]}")
    fifty = recipe.needles.kinds["fifty"][0]
    often = recipe.needles.partner(fifty)
    lines += [
        f"  {recipe.needles.together(fifty, often):>5,} times: {fifty} and {often} in one entry",
        f"      never: {recipe.needles.absent[0]} to {recipe.needles.absent[-1]}",
        f"most frequent names: {', '.join(recipe.names[:3])}; rarest: {recipe.names[-1]}",
    ]
    return "\n".join(lines)


def _say(text: str, *, end: str = "\n") -> None:
    print(text, end=end, flush=True)


def _fail(text: str) -> int:
    print(f"seed-logs: {text}", file=sys.stderr)
    return 1
