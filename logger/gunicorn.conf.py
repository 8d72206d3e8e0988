"""gunicorn's settings for the log store. Its processes share the gRPC and the RPC port; a second instance does not."""

from __future__ import annotations

from common.settings import load
from common.web.gunicorn import claiming, green, gunicorn_config
from logger.settings import LoggerSettings

settings = load(LoggerSettings)
globals().update(
    gunicorn_config(
        "logger",
        settings,
        port=settings.logger_port,
        model=green(settings.logger_connections),
        workers=settings.logger_workers,
    )
)
on_starting = claiming(
    settings.bind_host,
    (settings.logger_grpc_port, settings.logger_rpc_port),
    seconds=settings.shutdown_grace + 2,
)
