"""What surrounds every request: its line in the log, its headers, its identity."""

from __future__ import annotations

import logging

import pytest
from flask import Response

from common import context
from common.errors import UnavailableError
from common.web.access import Access, access
from common.web.app import create_flask


@pytest.fixture
def client():
    app = create_flask("edge", checks={})

    @app.get("/quiet/<what>")
    @access(Access.INTERNAL, quiet=True)
    def quiet(what: str) -> str:
        if what == "away":
            raise UnavailableError("the store is away")
        return what

    @app.get("/loud/<what>")
    @access(Access.PUBLIC)
    def loud(what: str) -> Response:
        return Response(what, headers={"cache-control": "max-age=60"})

    return app.test_client()


@pytest.fixture
def lines(caplog):
    """(route, status) of each line that a service at its usual level writes."""
    caplog.set_level(logging.INFO, logger="request")
    return lambda: [(each.route, each.status) for each in caplog.records if each.name == "request"]


def test_a_quiet_route_tells_its_failures_only(client, lines):
    client.get("/quiet/well")
    client.get("/quiet/away")

    assert lines() == [("/quiet/<what>", 503)]


def test_a_line_names_the_rule_and_nothing_that_the_client_made_up(client, lines):
    client.get("/loud/secret")
    client.get("/secret")

    assert lines() == [("/loud/<what>", 200), ("unmatched", 404)]


def test_a_header_that_a_view_sets_is_its_own_and_is_sent_once(client):
    headers = client.get("/loud/x").headers

    assert headers.getlist("Cache-Control") == ["max-age=60"]
    assert headers["X-Frame-Options"] == "DENY"


def test_the_identity_of_a_request_ends_with_it(client):
    client.get("/loud/x", headers={"X-Request-Id": "r-1"})

    assert context.current() is None
