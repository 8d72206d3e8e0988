"""The broker's own settings, so that the yardstick moves with them; without its hooks, which start what a bare application has not.

BENCH_WORKER_CLASS, BENCH_WORKERS and BENCH_THREADS replace single values, for comparison.
"""

from __future__ import annotations

import inspect
import os
import runpy

from gunicorn.config import Config

_known = Config().settings
_broker = runpy.run_path("broker/gunicorn.conf.py")
globals().update({name: value for name, value in _broker.items() if name in _known and not inspect.isfunction(value)})
proc_name = "bare"
for _name, _variable in (
    ("worker_class", "BENCH_WORKER_CLASS"),
    ("workers", "BENCH_WORKERS"),
    ("threads", "BENCH_THREADS"),
):
    if _value := os.environ.get(_variable):
        globals()[_name] = _value
