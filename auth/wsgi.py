"""gunicorn's entry: `gunicorn -c auth/gunicorn.conf.py auth.wsgi:app`."""

from __future__ import annotations

from auth.app import create_app
from auth.settings import AuthSettings
from common.settings import load

app = create_app(load(AuthSettings))
