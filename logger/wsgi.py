"""gunicorn's entry: `gunicorn -c logger/gunicorn.conf.py logger.wsgi:app`."""

from __future__ import annotations

from common.settings import load
from logger.app import create_app
from logger.settings import LoggerSettings

app = create_app(load(LoggerSettings))
