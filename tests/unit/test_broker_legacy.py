from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from broker.app import create_app
from broker.domain import SPOOL, LogOrder, Receipt, Via
from broker.service import BrokerService
from broker.settings import BrokerSettings
from common.errors import (
    AppError,
    BadReplyError,
    DeadlineError,
    InvalidError,
    NotFoundError,
    Problem,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)


class Behind:
    """Everything behind the gateway: answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.receipt: Receipt | None = None
        self.asked: list[tuple[str, Any]] = []

    def deliver(self, orders: Sequence[LogOrder], via: Via) -> list[Receipt | InvalidError]:
        for order in orders:
            self.ask(str(via), order)
        return [self.receipt or Receipt("queued" if via is Via.AMQP else "stored", f"written by {via}", via)] * len(
            orders
        )

    def ask(self, what: str, value: object) -> None:
        self.asked.append((what, value))
        if self.failure:
            raise self.failure

    def authenticate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        self.ask("auth", credentials)
        return {"id": 1, "email": credentials["email"]}

    def send(self, mail: dict[str, Any]) -> dict[str, Any]:
        self.ask("mail", mail)
        return {"id": "m1"}

    def get(self, record_id: str) -> dict[str, Any]:
        self.ask("get", record_id)
        return {"id": record_id}


@pytest.fixture
def behind():
    return Behind()


@pytest.fixture
def client(behind):
    service = BrokerService(auth=behind, mail=behind, delivery=behind, reader=behind)
    return create_app(BrokerSettings(), service=service).test_client()


LOG = {"name": "event", "data": "text"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_root_says_that_the_broker_was_hit_whatever_the_body(client, method):
    reply = client.open("/", method=method, data=b"anything {")

    assert reply.status_code == 200
    assert reply.data == b'{"error":false,"message":"Hit the broker"}'
    assert reply.content_type == "application/json"


def test_auth_answers_authenticated_with_the_user(client, behind):
    reply = client.post("/handle", json={"action": "auth", "auth": {"email": "a@b.c", "password": "x"}})

    assert reply.status_code == 202
    assert reply.json == {"error": False, "message": "Authenticated!", "data": {"id": 1, "email": "a@b.c"}}
    assert behind.asked == [("auth", {"email": "a@b.c", "password": "x"})]


def test_mail_names_the_recipient(client):
    mail = {"from": "a@b.c", "to": "d@e.f", "subject": "s", "message": "m"}

    reply = client.post("/handle", json={"action": "mail", "mail": mail})

    assert (reply.status_code, reply.json["message"]) == (202, "Message sent to d@e.f")


@pytest.mark.parametrize(
    ("extra", "via", "stored"),
    [
        ({}, "rpc", "mongodb"),
        ({"via": "http"}, "http", "mongodb"),
        ({"via": "RPC"}, "rpc", "mongodb"),
        ({"via": "grpc"}, "grpc", "mongodb"),
        ({"via": "amqp"}, "amqp", "queued"),
    ],
)
def test_log_goes_by_rpc_unless_told_otherwise_and_says_what_became_of_it(client, behind, extra, via, stored):
    reply = client.post("/handle", json={"action": "log", "log": LOG | extra})

    assert (reply.status_code, reply.json["message"]) == (202, f"written by {via}")
    assert reply.json["data"] == {"id": behind.asked[0][1].id, "stored": stored, "via": via}
    assert reply.headers["X-Log-Stored"] == stored


def test_an_entry_that_took_another_way_says_so(client, behind):
    behind.receipt = Receipt("spooled", "spooled: nobody is there", SPOOL)

    reply = client.post("/log-grpc", json=LOG)

    assert (reply.status_code, reply.json["message"]) == (202, "spooled: nobody is there")
    assert reply.json["data"] == {"id": behind.asked[0][1].id, "stored": "spooled", "via": "spool"}
    assert reply.headers["X-Log-Stored"] == "spooled"


def test_only_log_entries_are_told_where_they_are(client):
    reply = client.post("/handle", json={"action": "auth", "auth": {"email": "a@b.c", "password": "x"}})

    assert "X-Log-Stored" not in reply.headers


@pytest.mark.parametrize(("path", "wrap"), [("/handle", True), ("/log-grpc", True), ("/log-grpc", False)])
def test_a_retry_under_the_same_idempotency_key_keeps_its_id_and_nothing_else_gets_it(client, behind, path, wrap):
    def ids(key: str, entry: dict[str, Any]) -> str:
        body = {"action": "log", "log": entry} if wrap else entry
        client.post(path, json=body, headers={"Idempotency-Key": key})
        return behind.asked[-1][1].id

    first = ids("order-7", LOG)

    assert ids('"order-7"', dict(reversed(LOG.items()))) == first
    others = [ids("order-8", LOG), ids("order-7", LOG | {"data": "other"}), ids("order-7", LOG | {"level": "ERROR"})]
    assert len({first, *others}) == 4
    assert ids("order-7", LOG | {"id": "mine"}) == "mine"


def test_an_idempotency_key_that_is_none_is_refused(client, behind):
    reply = client.post("/handle", json={"action": "log", "log": LOG}, headers={"Idempotency-Key": ""})

    assert reply.status_code == 400
    assert behind.asked == []


def test_all_fields_of_an_entry_reach_the_door(client, behind):
    extra = {
        "fields": {"order": 9, "tags": ["a"]},
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "request_id": "r-1",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "level": "warn",
        "category": "audit",
    }
    client.post("/handle", json={"action": "log", "log": LOG | extra})

    ((_, order),) = behind.asked
    assert {name: getattr(order, name) for name in extra} == extra | {"level": "WARNING"}
    assert order.traceparent.startswith(f"00-{'a' * 32}-")


def test_an_id_and_a_service_given_by_the_writer_are_kept(client, behind):
    client.post("/handle", json={"action": "log", "log": LOG | {"id": "order-9", "service": "shop"}})
    client.post("/handle", json={"action": "log", "log": LOG})

    (_, given), (_, bare) = behind.asked
    assert (given.id, given.service) == ("order-9", "shop")
    assert bare.service == "broker"


@pytest.mark.parametrize("via", ["http", "rpc", "grpc", "amqp"])
def test_an_action_may_name_the_protocol_itself(client, behind, via):
    assert client.post("/handle", json={"action": f"log-{via}", "log": LOG}).status_code == 202
    assert behind.asked[0][0] == via


def test_no_origin_is_named_to_who_has_none(client):
    assert "Access-Control-Allow-Origin" not in client.post("/").headers


def test_sections_of_other_actions_are_not_read_since_go_clients_send_them_empty(client):
    body = {"action": "log", "auth": {"email": "", "password": ""}, "log": LOG, "mail": {"to": 5}}

    assert client.post("/handle", json=body).status_code == 202


@pytest.mark.parametrize("body", [LOG, {"action": "log", "log": LOG}])
def test_log_grpc_takes_the_flat_and_the_nested_body(client, behind, body):
    reply = client.post("/log-grpc", json=body)

    assert reply.status_code == 202
    assert behind.asked[0][0] == "grpc"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/handle", b"", 400, "body must not be empty"),
        ("/handle", b"{", 400, "body is not valid JSON"),
        ("/handle", b'{"action":"log"} {}', 400, "body must have only a single JSON value"),
        ("/handle", b"{}", 400, "unknown action"),
        ("/handle", b'{"action":"fly"}', 400, "unknown action"),
        ("/handle", b'{"action":7}', 422, "action: must be a string"),
        ("/handle", b'{"action":"auth"}', 422, "auth: must be an object"),
        ("/handle", b'{"action":"mail","mail":[]}', 422, "mail: must be an object"),
        ("/handle", b'{"action":"log","log":{}}', 422, "log.name: is missing"),
        ("/handle", b'{"action":"log","log":{"name":"","data":""}}', 422, "log.name: must not be empty"),
        ("/handle", b'{"action":"log","log":{"name":"a\\u0000","data":""}}', 422, "log.name: must not contain NUL"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"\\udfff"}}', 400, "body is not valid JSON"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"b","via":"pigeon"}}', 501, "unknown via"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"b","level":"LOUD"}}', 422, "log.level: must be one of"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"b","span_id":"x"}}', 422, "log.span_id: must be 16"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"b","category":"x"}}', 422, "log.category: must be"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"b","fields":[]}}', 422, "log.fields: must be an obj"),
        ("/handle", b'{"action":"log","log":{"name":"a","data":"b","timestamp":"1"}}', 422, "log.timestamp: must be"),
        ("/log-grpc", b"[]", 422, "body is invalid"),
        ("/log-grpc", b'{"log":5}', 422, "body is invalid"),
        ("/log-grpc", b'{"name":"' + b"n" * 256 + b'","data":""}', 422, "name: must not be longer than 255 characters"),
        ("/log-grpc", b'"' + b"x" * 1024 * 1024 + b'"', 413, "body is larger than 1 MiB"),
    ],
)
def test_bad_input_is_told_apart_and_reaches_nothing(client, behind, path, body, status, message):
    reply = client.post(path, data=body, content_type="application/json")

    assert reply.status_code == status
    assert reply.json["error"] is True
    assert reply.json["message"].startswith(message)
    assert behind.asked == []


@pytest.mark.parametrize("path", ["/handle", "/log-grpc", "/api/v1/logs"])
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "unheard-of"])
def test_a_coded_body_is_refused_with_the_coding_that_is_read(client, behind, path, coding):
    body = gzip.compress(json.dumps({"action": "log", "log": LOG}).encode())

    reply = client.post(path, data=body, content_type="application/json", headers={"Content-Encoding": coding})

    assert (reply.status_code, reply.headers["Accept-Encoding"]) == (415, "identity")
    assert "Content-Encoding" in (reply.json.get("message") or reply.json["detail"])
    assert behind.asked == []


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_a_body_that_says_that_it_is_not_coded_is_read(client, coding):
    reply = client.post("/handle", json={"action": "log", "log": LOG}, headers={"Content-Encoding": coding})

    assert reply.status_code == 202


def test_an_expected_failure_is_one_line_in_the_log_with_its_cause_and_a_bug_has_its_traceback(client, behind, caplog):
    def told(failure):
        caplog.clear()
        behind.failure = failure
        client.post("/handle", json={"action": "log", "log": LOG})
        return next(record for record in caplog.records if record.getMessage().startswith("request_"))

    away = UnavailableError("auth cannot be reached")
    away.__cause__ = ConnectionRefusedError(111, "Connection refused", "10.0.0.7")
    quiet = told(away)
    assert (quiet.message, quiet.reason, quiet.exc_info) == ("request_refused", "auth cannot be reached", None)
    assert quiet.cause == "ConnectionRefusedError: Connection refused"
    assert not hasattr(told(UnavailableError("no way is open")), "cause")

    later = UnavailableError("no way is open")
    later.__cause__ = TooManyError("the spool is full")
    assert told(later).cause == "TooManyError: the spool is full"

    strange = UnavailableError("auth cannot be reached")
    strange.__cause__ = RuntimeError("password=hunter2 at 10.0.0.7")
    assert told(strange).cause == "RuntimeError"

    assert told(AppError("?")).exc_info
    assert told(RuntimeError("a bug")).exc_info


def test_a_form_is_not_json(client):
    assert client.post("/handle", data={"action": "log"}).status_code == 415


@pytest.mark.parametrize(
    ("failure", "status", "headers"),
    [
        (UnauthenticatedError("invalid credentials"), 401, {"WWW-Authenticate": "Bearer"}),
        (TooManyError("too many", retry_after=3), 429, {"Retry-After": "3"}),
        (UnavailableError("auth cannot be reached"), 503, {"Retry-After": "2"}),
        (DeadlineError("auth did not answer in time"), 504, {}),
        (BadReplyError("auth gave an answer that is not JSON"), 502, {}),
    ],
)
def test_a_failure_behind_the_gateway_keeps_its_meaning(client, behind, failure, status, headers):
    behind.failure = failure

    reply = client.post("/handle", json={"action": "auth", "auth": {"email": "a@b.c", "password": "x"}})

    assert reply.status_code == status
    assert reply.json == {"error": True, "message": failure.message}
    assert headers.items() <= dict(reply.headers).items()


def test_problems_found_behind_the_gateway_point_into_the_callers_body(client, behind):
    behind.failure = InvalidError("mail.to: not an address", problems=[Problem("#/mail/to", "not an address")])

    reply = client.post("/handle", json={"action": "mail", "mail": {"to": "nobody"}})

    assert reply.status_code == 422
    assert reply.json["errors"] == [{"pointer": "#/mail/to", "detail": "not an address"}]


def test_a_bug_shows_nothing_of_itself(client, behind):
    behind.failure = RuntimeError("password=hunter2 at 10.0.0.7")

    reply = client.post("/handle", json={"action": "log", "log": LOG})

    assert reply.status_code == 500
    assert reply.json == {"error": True, "message": "internal error"}


def test_a_problem_document_is_given_to_who_asks_for_it(client):
    reply = client.post("/handle", json={"action": "fly"}, headers={"Accept": "application/problem+json"})

    assert reply.content_type == "application/problem+json"
    assert (reply.json["status"], reply.json["detail"]) == (400, "unknown action")


def test_a_log_is_read_by_id_and_a_missing_one_is_a_problem(client, behind):
    assert client.get("/api/v1/logs/abc").json == {"id": "abc"}

    behind.failure = NotFoundError("no log entry has this id")

    assert client.get("/api/v1/logs/abc").status_code == 404


def test_only_listed_origins_may_send_credentials(client):
    def allowed(origin: str):
        reply = client.post("/", headers={"Origin": origin})
        return reply.headers.get("Access-Control-Allow-Origin"), reply.headers.get("Access-Control-Allow-Credentials")

    assert allowed("http://localhost:8082") == ("http://localhost:8082", "true")
    assert allowed("http://evil.example") == (None, None)


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404), ("/handle", 400)])
def test_a_page_of_a_listed_origin_may_read_every_answer_refusals_included(client, path, status):
    reply = client.post(path, headers={"Origin": "http://localhost:8082"})

    assert reply.status_code == status
    assert reply.headers["Access-Control-Allow-Origin"] == "http://localhost:8082"
    assert "X-Log-Stored" in reply.headers["Access-Control-Expose-Headers"]
    assert reply.headers["Vary"] == "Origin"


def test_a_page_of_a_listed_origin_may_read_even_that_something_is_broken(client, behind):
    behind.failure = RuntimeError("a bug")

    reply = client.post("/handle", json={"action": "log", "log": LOG}, headers={"Origin": "http://localhost:8082"})

    assert reply.status_code == 500
    assert reply.headers["Access-Control-Allow-Origin"] == "http://localhost:8082"


def test_a_program_that_names_no_origin_gets_no_word_about_origins(client):
    assert not [name for name in client.post("/").headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118 - names


def test_a_preflight_of_the_console_is_answered(client):
    reply = client.options(
        "/handle",
        headers={
            "Origin": "http://localhost:8082",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )

    assert reply.status_code == 200
    assert reply.headers["Access-Control-Max-Age"] == "300"
    assert "content-type" in reply.headers["Access-Control-Allow-Headers"].lower()


def test_ping_says_ok_in_plain_text(client):
    reply = client.get("/ping")

    assert (reply.status_code, reply.data, reply.mimetype) == (200, b"OK", "text/plain")


@pytest.mark.parametrize("request_id", ["has space", "x" * 129, "line\tbreak"])
def test_an_unsafe_request_id_is_replaced(client, request_id):
    reply = client.get("/ping", headers={"X-Request-Id": request_id})

    assert reply.headers["X-Request-Id"] != request_id
    assert len(reply.headers["X-Request-Id"]) == 32


def test_production_refuses_public_credentials_and_any_origin(monkeypatch):
    monkeypatch.setenv("APP_ENV", "production")
    with pytest.raises(ValueError, match="RABBIT_URL"):
        BrokerSettings()

    monkeypatch.setenv("RABBIT_URL", "amqp://app:long-and-secret@rabbit/")
    monkeypatch.setenv("CORS_ORIGINS", "*")
    with pytest.raises(ValueError, match="CORS_ORIGINS"):
        BrokerSettings()
