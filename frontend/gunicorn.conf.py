"""gunicorn's settings for the console."""

from __future__ import annotations

from common.settings import load
from common.web.gunicorn import gunicorn_config, threaded
from frontend.settings import FrontendSettings

settings = load(FrontendSettings)
# Only files are served: a browser's six connections and a second tab are the whole load.
globals().update(gunicorn_config("frontend", settings, port=settings.frontend_port, model=threaded(16)))
