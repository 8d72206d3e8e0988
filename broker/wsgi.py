"""gunicorn's entry: `gunicorn -c broker/gunicorn.conf.py broker.wsgi:app`."""

from __future__ import annotations

from broker.app import create_app
from broker.settings import BrokerSettings
from common.settings import load

app = create_app(load(BrokerSettings))
