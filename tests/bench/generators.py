"""Starts the generators that are not wrk, each in a process of its own, and reads what they print."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from tests.bench.figures import Sample
from tests.bench.wrk import GeneratorError
from tests.system import ROOT

_GRACE = 90.0


@dataclass(frozen=True, slots=True)
class Told:
    """`in_all` also counts what was acknowledged after the measured time: all of it has to be in the store."""

    sample: Sample
    in_all: int


def run(module: str, address: str, concurrency: int, seconds: float, tag: str) -> Told:
    """Raises GeneratorError."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", address, str(concurrency), str(seconds), tag],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds + _GRACE,
        check=False,
    )
    if done.returncode:
        raise GeneratorError(f"{module}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    told = json.loads(done.stdout)
    return Told(Sample.of(told), told["acknowledged_in_all"])
