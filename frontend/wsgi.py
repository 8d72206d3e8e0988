"""gunicorn's entry: `gunicorn -c frontend/gunicorn.conf.py frontend.wsgi:app`."""

from __future__ import annotations

from common.settings import load
from frontend.app import create_app
from frontend.settings import FrontendSettings

app = create_app(load(FrontendSettings))
