from __future__ import annotations

import secrets
import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import requests

from tests.auth.databases import own_database, query
from tests.services import own_service
from tests.waiting import eventually

NO_RABBIT = "amqp://guest:guest@127.0.0.1:1/"
ADMIN = {"email": "admin@example.com", "password": "verysecret"}
SETUP = [sys.executable, "-m", "auth", "setup"]


@pytest.fixture
def dsn(system):
    with own_database(system.env["POSTGRES_ADMIN_DSN"]) as dsn:
        yield dsn


@pytest.fixture
def ready_dsn(system, dsn):
    done = system.run(SETUP, DSN=dsn, BCRYPT_COST="4")
    assert done.returncode == 0, done.stderr
    return dsn


def test_the_development_user_logs_in_as_the_seed_shows_it(system):
    reply = system.post("auth", "/authenticate", ADMIN)

    assert reply.status_code == 202
    body = reply.json()
    times = {name: body["data"].pop(name) for name in ("created_at", "updated_at")}
    assert body == {
        "error": False,
        "message": "Logged in to authentication service",
        "data": {"id": 1, "email": "admin@example.com", "first_name": "Admin", "last_name": "User", "active": 1},
    }
    assert all(value.endswith("Z") for value in times.values())


def test_its_stored_hash_has_cost_12(system):
    ((stored,),) = query(system.env["DSN"], "SELECT password FROM users WHERE id = 1")

    assert stored.startswith("$2b$12$")


@pytest.mark.parametrize(
    ("body", "level", "told"),
    [
        (ADMIN, "INFO", "admin@example.com logged in"),
        ({"email": "nobody@example.com", "password": "x"}, "WARNING", "login refused for nobody@example.com"),
    ],
)
def test_every_attempt_reaches_the_log_store_with_its_request(system, log_documents, body, level, told):
    request_id = f"login-{secrets.token_hex(8)}"

    system.post("auth", "/authenticate", body, headers={"X-Request-Id": request_id})

    document = eventually(lambda: log_documents.find_one({"request_id": request_id}), seconds=20)
    assert (document["name"], document["data"], document["level"]) == ("authentication", told, level)
    assert (document["service"], document["protocol"]) == ("auth", "amqp")
    assert document["category"] == "audit"


def test_a_login_needs_neither_rabbitmq_nor_logger_and_its_event_arrives_later(system, ready_dsn, log_documents):
    request_id = f"login-{secrets.token_hex(8)}"
    with own_service(system, "auth", DSN=ready_dsn, RABBIT_URL=NO_RABBIT, BCRYPT_COST="4") as url:
        reply = requests.post(f"{url}/authenticate", json=ADMIN, headers={"X-Request-Id": request_id}, timeout=10)
        readiness = requests.get(f"{url}/readyz", timeout=5)

    assert reply.status_code == 202
    assert readiness.status_code == 200
    assert readiness.json()["degraded"] is True
    assert {name: check["critical"] for name, check in readiness.json()["checks"].items()} == {
        "postgres": True,
        "rabbitmq": False,
    }
    ((body,),) = query(ready_dsn, "SELECT body FROM outbox")
    assert orjson.loads(bytes(body))["request_id"] == request_id

    with own_service(system, "auth", DSN=ready_dsn, BCRYPT_COST="4"):
        document = eventually(lambda: log_documents.find_one({"request_id": request_id}), seconds=20)
        eventually(lambda: query(ready_dsn, "SELECT count(*) FROM outbox") == [(0,)])
    assert document["data"] == "admin@example.com logged in"


def test_without_its_database_it_lives_is_unready_and_refuses_without_an_address(system):
    with own_service(system, "auth", DSN="host=127.0.0.1 port=1 user=auth password=password dbname=users") as url:
        reply = requests.post(f"{url}/authenticate", json=ADMIN, timeout=10)
        readiness = requests.get(f"{url}/readyz", timeout=5)
        alive = requests.get(f"{url}/livez", timeout=5)

    assert (alive.status_code, readiness.status_code, reply.status_code) == (200, 503, 503)
    assert readiness.json()["checks"]["postgres"]["status"] == "down"
    assert "127.0.0.1" not in readiness.text + reply.text
    assert reply.headers["Retry-After"]


def test_a_storm_of_logins_leaves_room_for_other_requests(system):
    def attempt(_number):
        # each waits for its turn, at a lower priority than whatever else the machine does
        return requests.post(system.url("auth", "/authenticate"), json=ADMIN, timeout=120).status_code

    with ThreadPoolExecutor(max_workers=40) as pool:
        storm = [pool.submit(attempt, number) for number in range(40)]
        pings = []
        while not all(each.done() for each in storm):
            pings.append(requests.get(system.url("auth", "/ping"), timeout=10).elapsed.total_seconds())

    statuses = {each.result() for each in storm}
    assert 202 in statuses
    assert statuses <= {202, 429}
    assert sorted(pings)[len(pings) // 2] < 1.0


def test_setup_makes_schema_and_development_user_once_however_many_run_it(system, dsn):
    with ThreadPoolExecutor(max_workers=3) as pool:
        runs = list(pool.map(lambda _: system.run(SETUP, DSN=dsn, BCRYPT_COST="4"), range(3)))

    assert [run.returncode for run in runs] == [0, 0, 0], [run.stderr for run in runs]
    assert query(dsn, "SELECT id, email, first_name, last_name, user_active FROM users") == [
        (1, "admin@example.com", "Admin", "User", 1)
    ]
    again = system.run(SETUP, DSN=dsn)
    assert (again.returncode, again.stdout, again.stderr) == (0, "schema and users are in place\n", "")


def test_setup_leaves_a_development_user_that_somebody_changed_alone(system, ready_dsn):
    query(ready_dsn, "UPDATE users SET user_active = 0, email = 'ADMIN@example.com'")

    assert system.run(SETUP, DSN=ready_dsn).returncode == 0

    assert query(ready_dsn, "SELECT email, user_active FROM users") == [("ADMIN@example.com", 0)]


def test_an_emptied_table_gets_the_development_user_as_number_one_again(system, ready_dsn):
    query(ready_dsn, "DELETE FROM users")

    assert system.run(SETUP, DSN=ready_dsn, BCRYPT_COST="4").stdout == "development user added\n"

    assert query(ready_dsn, "SELECT id FROM users") == [(1,)]


def test_production_gets_the_schema_and_no_user(system, dsn):
    role, password = f"auth_{secrets.token_hex(4)}", secrets.token_hex(16)
    admin = system.env["POSTGRES_ADMIN_DSN"]
    query(admin, f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{password}'")
    try:
        own = dsn.replace("user=postgres", f"user={role}").replace("password=password", f"password={password}")
        rabbit = "amqp://auth:not-public@127.0.0.1:1/"
        done = system.run(SETUP, DSN=own, APP_ENV="production", RABBIT_URL=rabbit)
        found = query(own, "SELECT count(*) FROM users")
    finally:
        query(dsn, f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        query(admin, f"DROP ROLE {role}")

    assert done.returncode == 0, done.stderr
    assert found == [(0,)]


def test_a_user_made_on_the_command_line_logs_in_unless_inactive(system):
    token = secrets.token_hex(4)
    command = [sys.executable, "-m", "auth", "create-user", "--first-name", "Zoë", "--last-name", "Q", "--email"]

    made = system.run([*command, f"{token}@example.com"], NEW_PASSWORD="correct horse")
    idle = system.run([*command, f"idle-{token}@example.com", "--inactive"], NEW_PASSWORD="correct horse")
    twice = system.run([*command, f"{token.upper()}@example.com"], NEW_PASSWORD="correct horse")

    assert (made.returncode, idle.returncode, twice.returncode) == (0, 0, 1)
    assert twice.stderr == "auth: a user with this e-mail exists\n"
    reply = system.post("auth", "/authenticate", {"email": f"{token}@EXAMPLE.com", "password": "correct horse"})
    assert (reply.status_code, reply.json()["data"]["first_name"]) == (202, "Zoë")
    refused = system.post("auth", "/authenticate", {"email": f"idle-{token}@example.com", "password": "correct horse"})
    assert (refused.status_code, refused.json()["message"]) == (401, "invalid credentials")


def test_a_password_stored_by_the_go_system_is_accepted_and_strengthened_to_the_configured_cost(system):
    email = f"go-{secrets.token_hex(4)}@example.com"
    weak = "$2a$04$8pBIMz4VyjRz.kUfp.hEL.k9eWzup37xoq/zIcDpuD5cxTn2hEVgm"
    query(system.env["DSN"], "INSERT INTO users (email, password, user_active) VALUES (%s, %s, 1)", email, weak)

    replies = [system.post("auth", "/authenticate", {"email": email, "password": "verysecret"}) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [202, 202]
    ((stored,),) = query(system.env["DSN"], "SELECT password FROM users WHERE email = %s", email)
    assert stored.startswith("$2b$12$")


def test_a_refused_adoption_is_one_line_for_the_operator(system, dsn):
    query(dsn, "CREATE TABLE users (id integer, name text)")

    done = system.run([sys.executable, "-m", "auth", "migrate"], DSN=dsn)

    assert done.returncode == 1
    assert done.stderr.startswith("auth: the table users is not the Go system's")
    assert done.stderr.count("\n") == 1


def test_a_role_that_may_not_change_the_table_is_told_so_in_one_line(system, dsn):
    query(
        dsn,
        "CREATE TABLE users (id serial, email text, first_name text, last_name text, password text,"
        " user_active integer, created_at timestamp, updated_at timestamp)",
    )
    query(dsn, "GRANT ALL ON SCHEMA public TO auth")
    as_auth = dsn.replace("user=postgres", "user=auth")

    done = system.run([sys.executable, "-m", "auth", "migrate"], DSN=as_auth)

    assert done.returncode == 1
    assert done.stderr.startswith("auth: the database refuses: ")
    assert done.stderr.count("\n") == 1
