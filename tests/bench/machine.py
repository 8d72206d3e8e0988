"""Where and with what was measured: figures without this mean nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from compose.local import tools
from tests.bench.store import Store
from tests.bench.yardsticks import cores
from tests.system import ROOT

_PACKAGES = ("flask", "gunicorn", "grpcio", "pymongo", "kombu", "celery", "bcrypt", "orjson")


def described(store: Store | None) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _said("git", "describe", "--always", "--dirty"),
        "machine": {
            "cpu": _cpu(),
            "cores": cores(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "load_before": [round(load, 2) for load in os.getloadavg()],
            "nice": os.nice(0),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
            "wrk": _said(tools.wrk(), "--version").removeprefix("wrk ").partition(" [")[0],
            **({"mongodb": store.version()} if store else {}),
        },
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _said(*command: str) -> str:
    """Wrk ends with an error status after it has told its version."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    return (done.stdout.strip().splitlines() or [""])[0]
