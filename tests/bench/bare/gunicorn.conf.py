"""The broker's own settings, so that the yardstick moves with them; without its hooks, which start what a bare application has not.

BENCH_WORKER_CLASS, BENCH_WORKERS and BENCH_THREADS replace single values, for comparison.
"""

from __future__ import annotations

import os
import runpy

_settings = runpy.run_path("broker/gunicorn.conf.py")
globals().update(
    {name: value for name, value in _settings.items() if name.islower() and name[0] != "_" and not callable(value)}
)
globals().pop("settings", None)
proc_name = "bare"
worker_class = os.environ.get("BENCH_WORKER_CLASS") or globals()["worker_class"]
workers = int(os.environ.get("BENCH_WORKERS") or globals()["workers"])
threads = int(os.environ.get("BENCH_THREADS") or globals()["threads"])
