"""gunicorn's settings for the gateway."""

from __future__ import annotations

from broker.settings import BrokerSettings
from common.settings import load
from common.web.gunicorn import gunicorn_config

settings = load(BrokerSettings)
globals().update(
    gunicorn_config(
        "broker",
        settings,
        port=settings.broker_port,
        threads=settings.broker_threads,
        workers=settings.broker_workers,
    )
)
