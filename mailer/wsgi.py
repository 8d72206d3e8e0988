"""gunicorn's entry: `gunicorn -c mailer/gunicorn.conf.py mailer.wsgi:app`."""

from __future__ import annotations

from common.settings import load
from mailer.app import create_app
from mailer.settings import MailerSettings

app = create_app(load(MailerSettings))
