"""The HTTP door of the authentication service."""

from __future__ import annotations

from flask import Blueprint, Response

from auth.schemas import Credentials, user_as_json
from auth.service import Authentication
from common.web.access import Access, access
from common.web.reading import read_json
from common.web.replies import envelope

# The words of seed 001; the Go original says "Logged in user ..." instead.
LOGGED_IN = "Logged in to authentication service"


def login_blueprint(authentication: Authentication) -> Blueprint:
    blueprint = Blueprint("login", __name__)

    @blueprint.post("/authenticate")
    @access(Access.INTERNAL)
    def authenticate() -> Response:
        credentials = read_json(Credentials)
        user = authentication.login(credentials.email, credentials.password)
        return envelope(LOGGED_IN, user_as_json(user))

    return blueprint
