"""Questions through the gateway: they reach the log store as they came, and its answers the caller as they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from broker.app import create_app
from broker.clients.logger_http import LoggerHttpDoor
from broker.service import BrokerService
from broker.settings import BrokerSettings
from common.web.client import JsonClient
from tests.services import free_port

PROBLEM = b'{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"limit: ...","errors":[]}'
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Behind:
    """A log store that answers as told and remembers what it was asked."""

    status: int = 200
    content: bytes = b'{"items":[]}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    asked: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    silent: threading.Event | None = None


@contextmanager
def listening(behind: Behind) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behind.asked.append((self.command, self.path, body, dict(self.headers)))
            if behind.silent:
                behind.silent.wait(10)
            self.send_response(behind.status)
            for name, value in behind.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(behind.content)))
            self.end_headers()
            self.wfile.write(behind.content)

        do_POST = do_GET  # noqa: N815 - the names are the server's

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def client_of(url: str, *, timeout: float = 5.0):
    door = LoggerHttpDoor(JsonClient("logger", url, timeout=timeout), write_timeout=1)
    unused: object = None
    service = BrokerService(auth=unused, mail=unused, delivery=unused, reader=door)
    return create_app(BrokerSettings(), service=service).test_client()


@pytest.fixture
def behind():
    return Behind()


@pytest.fixture
def client(behind):
    with listening(behind) as url:
        yield client_of(url)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/logs",
        "/api/v1/logs/count",
        "/api/v1/logs/histogram",
        "/api/v1/logs/facets",
        f"/api/v1/traces/{TRACE}",
    ],
)
def test_every_question_reaches_the_log_store_under_its_own_path(client, behind, path):
    reply = client.get(f"{path}?q=a&limit=5", headers={"X-Request-Id": "req-7"})

    assert (reply.status_code, reply.data) == (200, b'{"items":[]}')
    ((method, asked, _, headers),) = behind.asked
    assert (method, asked, headers["X-Request-Id"]) == ("GET", f"{path}?q=a&limit=5", "req-7")


@pytest.mark.parametrize(
    "query",
    [
        "q=level%3Aerror+%22disk+full%22&name=a&name=b",
        "q=100%25&words=50%",
        "q=%zz%20b&name=%E2%98%83",
        "q=a%2Bb&name=%26%3D%23&limit=",
        "words=caf%C3%A9&fields.a.b=1&flag",
    ],
)
def test_a_query_string_means_behind_the_gateway_what_it_meant_before_it(client, behind, query):
    client.get(f"/api/v1/logs?{query}")

    ((_, asked, _, _),) = behind.asked
    assert parse_qsl(urlsplit(asked).query, keep_blank_values=True) == parse_qsl(query, keep_blank_values=True)


def test_bytes_that_are_not_escaped_arrive_as_they_were_sent(client, behind):
    client.get("/api/v1/logs", environ_overrides={"QUERY_STRING": "words=caf\u00c3\u00a9 x"})

    assert behind.asked[0][1] == "/api/v1/logs?words=caf%C3%A9%20x"


def test_a_body_is_sent_on_as_it_came_under_its_own_type(client, behind):
    body = b' {"limit" : 5, "q":"\xc3\xa9"} '

    client.post("/api/v1/logs/query", data=body, content_type="application/vnd.x+json")

    ((method, path, sent, headers),) = behind.asked
    assert (method, path, sent) == ("POST", "/api/v1/logs/query", body)
    assert headers["Content-Type"] == "application/vnd.x+json"


@pytest.mark.parametrize("status", [200, 400, 404, 415, 422, 429, 503, 504])
def test_an_answer_or_a_refusal_comes_back_as_it_is(client, behind, status):
    behind.status, behind.content = status, PROBLEM
    behind.headers = {
        "Content-Type": "application/problem+json",
        "Link": '</api/v1/logs?cursor=x>; rel="next"',
        "Retry-After": "7",
        "X-Internal": "no",
    }

    reply = client.get("/api/v1/logs")

    assert (reply.status_code, reply.data, reply.content_type) == (status, PROBLEM, "application/problem+json")
    assert (reply.headers["Link"], reply.headers["Retry-After"]) == (behind.headers["Link"], "7")
    assert "X-Internal" not in reply.headers
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (500, "application/json", 502),
        (302, "application/json", 502),
        (200, "text/html", 502),
        (404, "text/plain", 501),
        (405, "text/plain", 501),
    ],
)
def test_what_no_caller_should_see_is_told_in_the_gateways_words(client, behind, status, kind, shown):
    behind.status, behind.content, behind.headers = status, b"<secret>", {"Content-Type": kind}

    reply = client.get("/api/v1/logs")

    assert reply.status_code == shown
    assert reply.content_type == "application/problem+json"
    assert b"secret" not in reply.data


def test_a_log_store_that_is_away_is_unavailable():
    reply = client_of(f"http://127.0.0.1:{free_port()}").get("/api/v1/logs")

    assert (reply.status_code, reply.json["detail"]) == (503, "logger cannot be reached")
    assert reply.headers["Retry-After"]


def test_a_log_store_that_is_silent_is_given_up(behind):
    behind.silent = threading.Event()
    with listening(behind) as url:
        reply = client_of(url, timeout=0.2).get("/api/v1/logs")
        behind.silent.set()

    assert reply.status_code == 504


def test_a_body_that_is_too_large_goes_nowhere(client, behind):
    reply = client.post("/api/v1/logs/query", data=b"x" * (1024 * 1024 + 1), content_type="application/json")

    assert reply.status_code == 413
    assert behind.asked == []
