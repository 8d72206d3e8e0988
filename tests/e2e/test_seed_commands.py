"""The commands that the documents print, as they print them; only the host and port are those of the test system."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.waiting import eventually

AUTH = """curl -X POST http://localhost:8080/handle \\
  -H "Content-Type: application/json" \\
  -d '{
    "action": "auth",
    "auth": {
      "email": "admin@example.com",
      "password": "verysecret"
    }
  }'"""

LOG = """curl -X POST http://localhost:8080/handle \\
  -H "Content-Type: application/json" \\
  -d '{
    "action": "log",
    "log": {
      "name": "test-event",
      "data": "Test log message"
    }
  }'"""

MAIL = """curl -X POST http://localhost:8080/handle \\
  -H "Content-Type: application/json" \\
  -d '{
    "action": "mail",
    "mail": {
      "from": "test@example.com",
      "to": "recipient@example.com",
      "subject": "Test Email",
      "message": "This is a test email"
    }
  }'"""


@pytest.fixture
def run(system):
    assert shutil.which("curl"), "these tests run the documents' own curl commands: install curl"

    def run_one(command: str) -> dict:
        command = command.replace("http://localhost:8080", system.url("broker"))
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20, check=True)
        answer: dict = json.loads(done.stdout)
        return answer

    return run_one


def test_authentication(run):
    answer = run(AUTH)

    assert (answer["error"], answer["message"]) == (False, "Authenticated!")
    user = answer["data"]
    assert {name: user[name] for name in ("id", "email", "first_name", "last_name", "active")} == {
        "id": 1,
        "email": "admin@example.com",
        "first_name": "Admin",
        "last_name": "User",
        "active": 1,
    }
    assert "password" not in user


def test_logging(run, log_documents):
    answer = run(LOG)

    assert answer["message"] == "Processed payload via RPC:test-event"
    assert log_documents.find_one({"name": "test-event"})["data"] == "Test log message"


def test_email(run, system):
    answer = run(MAIL)

    assert answer["message"] == "Message sent to recipient@example.com"
    import requests  # noqa: PLC0415 - only this test reads the mailbox

    found = requests.get(
        system.url("mailbox", "/api/v2/wait"), params={"message_id": answer["data"]["message_id"]}, timeout=15
    )
    assert "This is a test email" in found.json()["Content"]["Body"]


def test_the_login_is_recorded_as_an_event(run, log_documents):
    before = log_documents.count_documents({"name": "authentication"})

    run(AUTH)

    eventually(lambda: log_documents.count_documents({"name": "authentication"}) > before)
    record = log_documents.find_one({"name": "authentication"}, sort=[("_id", -1)])
    assert (record["data"], record["service"]) == ("admin@example.com logged in", "auth")
