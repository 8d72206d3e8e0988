"""gunicorn's settings for the gateway."""

from __future__ import annotations

from broker.settings import BrokerSettings
from common.settings import load
from common.web.gunicorn import green, gunicorn_config

settings = load(BrokerSettings)
globals().update(
    gunicorn_config(
        "broker",
        settings,
        port=settings.broker_port,
        model=green(settings.broker_connections),
        workers=settings.broker_workers,
    )
)
