"""The composition root of the mailer."""

from __future__ import annotations

import ssl

from flask import Flask

from common.clock import SystemClock
from common.web.app import create_flask
from common.web.health import Check
from mailer.jinja_renderer import JinjaRenderer
from mailer.ports import Sender
from mailer.routes import mail_blueprint
from mailer.service import MailService
from mailer.settings import MailerSettings
from mailer.smtp_probe import SmtpProbe
from mailer.smtp_sender import SmtpSender
from mailer.smtp_session import SmtpAccount


def create_app(settings: MailerSettings, *, sender: Sender | None = None) -> Flask:
    """`sender` replaces SMTP in tests."""
    account = _account(settings)
    # Not critical: a mailer without its server still answers, and says so.
    checks = {"smtp": Check(SmtpProbe(account), critical=False)} if sender is None else {}
    app = create_flask("mailer", checks=checks)
    service = MailService(
        sender or SmtpSender(app, account),
        JinjaRenderer(brand=settings.from_name, overrides=settings.mail_templates),
        SystemClock(),
        origin=settings.origin,
    )
    app.register_blueprint(mail_blueprint(service))
    return app


def _account(settings: MailerSettings) -> SmtpAccount:
    return SmtpAccount(
        host=settings.mail_host,
        port=settings.mail_port,
        own_name=settings.mail_domain,
        encryption=settings.mail_encryption,
        username=settings.mail_username,
        password=settings.mail_password,
        # Built once: reading the machine's certificates takes longer than sending a mail.
        trust=None if settings.mail_encryption == "none" else ssl.create_default_context(),
    )
