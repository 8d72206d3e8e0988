"""gunicorn's settings for the mailer. Threads, since a request mostly waits for the SMTP server."""

from __future__ import annotations

from common.settings import load
from common.web.gunicorn import gunicorn_config, threaded
from mailer.settings import MailerSettings

settings = load(MailerSettings)
globals().update(
    gunicorn_config("mailer", settings, port=settings.mailer_port, model=threaded(settings.mailer_threads))
)
