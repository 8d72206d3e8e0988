"""The composition root of the console. It has nothing to wait for: the browser, not this process, talks to the broker."""

from __future__ import annotations

from flask import Flask

from common.web.app import create_flask
from frontend.routes import console_blueprint
from frontend.settings import FrontendSettings


def create_app(settings: FrontendSettings) -> Flask:
    app = create_flask("frontend", checks={}, static_folder="static")
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.register_blueprint(console_blueprint(settings))
    return app
