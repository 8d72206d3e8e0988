from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from auth.app import create_app
from auth.domain import NewUser
from auth.memory import MemoryStore
from auth.passwords import hash_password
from auth.settings import AuthSettings
from common.clock import FixedClock
from common.errors import UnavailableError

MOMENT = datetime(2022, 3, 14, tzinfo=UTC)


@pytest.fixture
def store():
    store = MemoryStore(FixedClock(MOMENT))
    for email, active in (("admin@example.com", True), ("Gone@example.com", False)):
        store.users.add(NewUser(email, "Admin", "User", active, hash_password("verysecret", cost=4)))
    return store


@pytest.fixture
def client(store):
    return create_app(AuthSettings(bcrypt_cost=4), store=store).test_client()


def login(client, email="admin@example.com", password="verysecret", **options):
    return client.post("/authenticate", json={"email": email, "password": password}, **options)


def test_a_login_answers_with_the_seeds_text_and_the_user_in_the_originals_order(client):
    reply = login(client)

    assert reply.status_code == 202
    assert reply.content_type == "application/json"
    assert reply.data == (
        b'{"error":false,"message":"Logged in to authentication service","data":{"id":1,"email":"admin@example.com",'
        b'"first_name":"Admin","last_name":"User","active":1,'
        b'"created_at":"2022-03-14T00:00:00Z","updated_at":"2022-03-14T00:00:00Z"}}'
    )


@pytest.mark.parametrize("email", ["ADMIN@Example.com", "  admin@example.com ", "admin@example.com\n"])
def test_the_email_is_trimmed_and_compared_without_regard_to_case(client, email):
    assert login(client, email).status_code == 202


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("admin@example.com", "wrong"),
        ("admin@example.com", "VERYSECRET"),
        ("admin@example.com", "verysecret "),
        ("nobody@example.com", "verysecret"),
        ("gone@example.com", "verysecret"),
        ("gone@example.com", "wrong"),
        ("' OR 1=1 --", "x" * 72),
    ],
)
def test_whoever_may_not_log_in_gets_the_same_refusal(client, email, password):
    reply = login(client, email, password)

    assert reply.status_code == 401
    assert reply.data == b'{"error":true,"message":"invalid credentials"}'
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_a_caller_that_asks_for_problem_json_gets_it(client):
    reply = login(client, password="wrong", headers={"Accept": "application/problem+json"})

    assert reply.content_type == "application/problem+json"
    assert (reply.json["status"], reply.json["detail"]) == (401, "invalid credentials")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "body must not be empty"),
        (b'{"email":"a","password":"b"} {}', 400, "body must have only a single JSON value"),
        (b'["a","b"]', 422, "body is invalid"),
        (b'{"password":"b"}', 422, "email: is missing"),
        (b'{"email":"a"}', 422, "password: is missing"),
        (b'{"email":" ","password":"b"}', 422, "email: must not be empty"),
        (b'{"email":"a","password":""}', 422, "password: must not be empty"),
        (b'{"email":7,"password":"b"}', 422, "email: must be a string"),
        (b'{"email":"a","password":null}', 422, "password: must be a string"),
        (b'{"email":"a\\u0000","password":"b"}', 422, "email: must not contain line breaks or control characters"),
        (b'{"email":"a\\r\\nb","password":"b"}', 422, "email: must not contain line breaks or control characters"),
        (b'{"email":"a","password":"b\\u0000c"}', 422, "password: must not contain NUL characters"),
    ],
)
def test_bad_input_is_named_and_nothing_is_recorded(client, store, body, status, message):
    reply = client.post("/authenticate", data=body, content_type="application/json")

    assert reply.status_code == status
    assert reply.json["error"] is True
    assert reply.json["message"] == message
    assert store.events.recorded == []


def test_a_compressed_body_is_refused_with_the_coding_that_is_read(client, store):
    reply = client.post("/authenticate", json={}, headers={"Content-Encoding": "gzip"})

    assert (reply.status_code, reply.headers["Accept-Encoding"]) == (415, "identity")
    assert store.events.recorded == []


@pytest.mark.parametrize("body", [b"{", b'{"email":"a","password":"\\ud800"}', b'{"email":"a","password":"\xff"}'])
def test_what_is_not_json_in_utf_8_is_refused_as_malformed(client, body):
    reply = client.post("/authenticate", data=body, content_type="application/json")

    assert reply.status_code == 400
    assert reply.json["message"].startswith("body is not valid JSON")


@pytest.mark.parametrize("password", ["x" * 73, "ü" * 37], ids=["73 letters", "37 letters of two bytes"])
def test_a_password_that_bcrypt_would_cut_is_refused_by_its_length_in_bytes(client, password):
    reply = login(client, "admin@example.com", password)

    assert reply.status_code == 422
    assert reply.json["message"] == "password: must not be longer than 72 bytes"


def test_a_password_of_exactly_72_bytes_is_checked(client):
    assert login(client, password="ü" * 36).status_code == 401


def test_a_refused_password_is_never_repeated(client):
    reply = login(client, password="hunter2\x00" + "x" * 80)

    assert b"hunter2" not in reply.data


def test_an_email_may_have_255_characters_and_no_more(client):
    assert login(client, "x" * 255).status_code == 401
    assert login(client, "x" * 256).status_code == 422


def test_every_broken_rule_is_listed(client):
    reply = client.post("/authenticate", json={"email": 1})

    assert [problem["pointer"] for problem in reply.json["errors"]] == ["#/email", "#/password"]


def test_a_body_over_one_mebibyte_is_too_large(client):
    assert login(client, password="x" * 1024 * 1024).status_code == 413


def test_another_content_type_is_refused_and_none_counts_as_json(client):
    body = orjson.dumps({"email": "admin@example.com", "password": "verysecret"})

    assert client.post("/authenticate", data=body, content_type="text/plain").status_code == 415
    assert client.post("/authenticate", data=body).status_code == 202


def test_only_post_is_allowed(client):
    reply = client.get("/authenticate")

    assert reply.status_code == 405
    assert "POST" in reply.headers["Allow"]


def test_a_database_that_is_away_is_a_503_that_names_no_address(client, store, monkeypatch):
    def away():
        raise UnavailableError("the database cannot be used now") from OSError("10.1.2.3:5432")

    monkeypatch.setattr(store, "begin", away)

    reply = login(client)

    assert reply.status_code == 503
    assert reply.headers["Retry-After"] == "2"
    assert reply.json == {"error": True, "message": "the database cannot be used now"}


def test_a_bug_is_a_500_without_a_traceback(client, store, monkeypatch):
    monkeypatch.setattr(store, "begin", lambda: 1 / 0)

    reply = login(client)

    assert reply.status_code == 500
    assert reply.json == {"error": True, "message": "internal error"}


def test_neither_password_nor_hash_reaches_answer_or_log(client, store, caplog):
    caplog.set_level("DEBUG")

    replies = [login(client), login(client, password="hunter2"), login(client, "who", "hunter2")]

    told = b"".join(reply.data for reply in replies).decode() + caplog.text + repr(store.users.rows)
    assert "verysecret" not in told
    assert "hunter2" not in told
    assert "$2b$" not in told
