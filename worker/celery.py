"""Celery's entry: `celery -A worker worker`."""

from __future__ import annotations

from common.settings import load
from worker.app import create_app
from worker.settings import WorkerSettings

app = create_app(load(WorkerSettings))
