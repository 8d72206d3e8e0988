from __future__ import annotations

import importlib

import pytest

from auth.settings import AuthSettings
from broker.settings import BrokerSettings
from common.web.access import access_of
from frontend.settings import FrontendSettings
from logger.settings import LoggerSettings
from mailer.settings import MailerSettings

SETTINGS = {
    "auth": AuthSettings,
    "broker": BrokerSettings,
    "frontend": FrontendSettings,
    "logger": LoggerSettings,
    "mailer": MailerSettings,
}


@pytest.fixture(params=sorted(SETTINGS))
def app(request):
    """Each service's application as it runs; nothing connects before the lifecycle starts."""
    return importlib.import_module(f"{request.param}.app").create_app(SETTINGS[request.param]())


def test_every_route_declares_who_may_call_it(app):
    undeclared = [rule.rule for rule in app.url_map.iter_rules() if access_of(app, rule.endpoint) is None]

    assert undeclared == []


def test_every_service_answers_the_same_probes(app):
    assert {"/ping", "/livez", "/readyz", "/healthz"} <= {rule.rule for rule in app.url_map.iter_rules()}


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere"])
def test_an_unknown_path_answers_in_json_with_the_security_headers(app, path):
    reply = app.test_client().get(path)

    assert reply.status_code == 404
    assert "json" in reply.content_type
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Request-Id" in reply.headers


def test_a_wrong_method_names_the_right_ones(app):
    reply = app.test_client().delete("/ping")

    assert reply.status_code == 405
    assert "GET" in reply.headers["Allow"]
