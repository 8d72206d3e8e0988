"""The page, with the policy that lets it load its own files and call the broker, and nothing else."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template

from common.web.access import Access, access
from frontend.content import BUTTONS, GUIDE
from frontend.settings import FrontendSettings


def content_security_policy(broker_origin: str) -> str:
    """https://www.w3.org/TR/CSP3/; no inline script or style, and forms are read by the script, never submitted."""
    return "; ".join(
        [
            "default-src 'self'",
            f"connect-src 'self' {broker_origin}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        ]
    )


def console_blueprint(settings: FrontendSettings) -> Blueprint:
    blueprint = Blueprint("console", __name__)
    policy = content_security_policy(settings.broker_origin)

    @blueprint.get("/")
    @access(Access.PUBLIC)
    def console() -> Response:
        response = make_response(render_template("console.html", settings=settings, buttons=BUTTONS, guide=GUIDE))
        response.headers["Content-Security-Policy"] = policy
        return response

    return blueprint
