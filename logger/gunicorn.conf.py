"""gunicorn's settings for the log store. One worker: it owns the gRPC and the TCP port; more room comes from replicas."""

from __future__ import annotations

from common.settings import load
from common.web.gunicorn import green, gunicorn_config
from logger.settings import LoggerSettings

settings = load(LoggerSettings)
globals().update(
    gunicorn_config("logger", settings, port=settings.logger_port, model=green(settings.logger_connections))
)
