from __future__ import annotations

import pytest

from common.settings import load
from frontend.app import create_app
from frontend.settings import FrontendSettings


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080",
        "ftp://localhost",
        "javascript://localhost/%0aalert(1)",
        "http://",
        "http://local host",
        "http://localhost; script-src *",
        "http://localhost:99999",
        "http://localhost?x=1",
        "http://localhost#x",
        "http://a.example,b.example",
        "http://*",
    ],
)
def test_an_address_that_a_policy_cannot_hold_is_refused_at_start(monkeypatch, capsys, url):
    monkeypatch.setenv("BROKER_URL", url)

    with pytest.raises(SystemExit):
        load(FrontendSettings)

    assert "BROKER_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://shop.example/gateway/", "https://shop.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_origin_is_taken_from_the_brokers_address(given, origin):
    assert FrontendSettings(broker_url=given).broker_origin == origin


def test_credentials_in_an_address_never_reach_the_page():
    settings = FrontendSettings(rabbit_management_url="http://guest:hunter2@localhost:15672")

    page = create_app(settings).test_client().get("/").text

    assert "hunter2" not in page
    assert "http://localhost:15672/" in page


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_cannot_be_is_refused(monkeypatch, port):
    monkeypatch.setenv("FRONTEND_PORT", port)

    with pytest.raises(SystemExit):
        load(FrontendSettings)
