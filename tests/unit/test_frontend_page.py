from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from frontend.app import create_app
from frontend.settings import FrontendSettings
from tests.system import ROOT

FRONTEND = ROOT / "frontend"
SETTINGS = FrontendSettings(
    broker_url="https://broker.example:8443/gateway/",
    mailbox_url="http://mail.example",
    rabbit_management_url="http://guest:guest@rabbit.example:15672",
)


class Tags(HTMLParser):
    """Every start tag of a page with its attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.found if (value := attributes.get(attribute)) is not None]


@pytest.fixture
def client():
    return create_app(SETTINGS).test_client()


@pytest.fixture
def page(client) -> Tags:
    return Tags(client.get("/").text)


def test_the_console_is_one_html_page(client):
    reply = client.get("/")

    assert reply.status_code == 200
    assert reply.content_type == "text/html; charset=utf-8"
    assert reply.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("button", "label"),
    [
        ("brokerBtn", "Test Broker"),
        ("authBrokerBtn", "Test Auth"),
        ("logBtn", "Test Log"),
        ("logRBtn", "Test Log via RabbitMQ"),
        ("logGBtn", "Test Log via gRPC"),
        ("mailBtn", "Test Mail"),
    ],
)
def test_the_six_buttons_keep_the_ids_and_labels_of_the_original(client, button, label):
    assert re.search(rf'<span class="action-label" id="{button}Label">{label}</span>', client.get("/").text)


def test_the_panes_keep_the_ids_of_the_original(page):
    assert {"output", "payload", "received"} <= set(page.values("id"))


def test_no_id_occurs_twice(page):
    ids = page.values("id")

    assert sorted(ids) == sorted(set(ids))


def test_every_reference_inside_the_page_has_its_target(page):
    ids = set(page.values("id"))
    named = {*page.values("form"), *page.values("data-gist-of")}
    for attribute in ("aria-labelledby", "aria-describedby"):
        named |= {name for value in page.values(attribute) for name in value.split()}

    assert named - ids == set()


def test_the_page_is_told_where_the_broker_and_the_mailbox_are(page):
    assert page.values("data-broker-url") == ["https://broker.example:8443/gateway"]
    assert page.values("data-mailbox-url") == ["http://mail.example"]
    assert "http://rabbit.example:15672/" in page.values("href")


def test_the_policy_allows_the_own_origin_and_the_brokers_and_nothing_inline(client):
    policy = client.get("/").headers["Content-Security-Policy"]

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert rules["connect-src"] == "'self' https://broker.example:8443"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy


def test_the_page_has_no_code_or_style_inline(client, page):
    text = client.get("/").text

    assert [attributes for tag, attributes in page.found if tag == "script" and "src" not in attributes] == []
    assert [tag for tag, _ in page.found if tag == "style"] == []
    assert page.values("style") == []
    assert re.findall(r"\son[a-z]+=", text) == []


def test_everything_the_page_loads_is_its_own_and_is_there(client, page):
    loaded = page.values("src") + [a["href"] for tag, a in page.found if tag == "link" and a["href"]]

    assert len(loaded) >= 8
    for path in loaded:
        assert path.startswith("/static/")
        assert client.get(path, buffered=True).status_code == 200


def test_every_module_imports_only_modules_that_are_there(client):
    seen: set[str] = set()
    waiting = ["/static/js/main.js"]
    while waiting:
        path = waiting.pop()
        reply = client.get(path, buffered=True)
        assert reply.status_code == 200, path
        assert reply.mimetype in {"text/javascript", "application/javascript"}
        seen.add(path)
        imported = {urljoin(path, name) for name in re.findall(r'from "([^"]+)"', reply.text)}
        waiting += sorted(imported - seen - set(waiting))

    assert seen == {f"/static/js/{file.name}" for file in (FRONTEND / "static/js").iterdir()}


def test_no_file_of_the_console_names_another_host():
    namespaces = ("http://www.w3.org/2000/svg",)
    strangers = [
        (file.name, address)
        for folder in ("static", "templates")
        for file in sorted((FRONTEND / folder).rglob("*.*"))
        for address in re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z][^\s\"'<)]*", file.read_text())
        if address not in namespaces
    ]

    assert strangers == []


def test_the_script_writes_no_markup():
    writers = [
        file.name
        for file in (FRONTEND / "static/js").iterdir()
        if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", file.read_text())
    ]

    assert writers == []


def test_files_are_asked_for_again_so_that_an_update_is_seen(client):
    reply = client.get("/static/js/main.js", buffered=True)

    again = client.get("/static/js/main.js", buffered=True, headers={"If-None-Match": reply.headers["ETag"]})

    assert reply.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/templates/console.html"])
def test_only_static_files_are_served(client, path):
    assert client.get(path).status_code == 404


def test_a_form_posted_to_the_page_is_refused(client):
    reply = client.post("/", data={"password": "verysecret"})

    assert reply.status_code == 405


def test_the_guide_tells_when_to_use_each_of_the_four_protocols(page):
    rows = [attributes for tag, attributes in page.found if tag == "tr" and "data-protocol" in attributes]

    assert [row["data-protocol"] for row in rows] == ["http", "rpc", "grpc", "amqp"]


def test_the_console_is_ready_without_the_broker(client):
    reply = client.get("/readyz")

    assert reply.status_code == 200
    assert reply.json["degraded"] is False


def test_each_field_has_a_label(client, page):
    fields = [attributes for tag, attributes in page.found if tag in {"input", "textarea"}]

    assert len(fields) == 10
    assert len(re.findall(r"<label>[^<]*<(?:input|textarea)", client.get("/").text)) == len(fields)
    assert urlsplit(page.values("data-broker-url")[0]).netloc == "broker.example:8443"
