"""gunicorn's settings for the authentication service. One worker by default: passwords are checked outside the interpreter's lock."""

from __future__ import annotations

from auth.settings import AuthSettings
from common.settings import load
from common.web.gunicorn import gunicorn_config, threaded

settings = load(AuthSettings)
globals().update(gunicorn_config("auth", settings, port=settings.auth_port, model=threaded(settings.auth_threads)))
