"""What must be refused, sent to the running system through the one door that clients use."""

from __future__ import annotations

import re

import pytest

INTERNAL = re.compile(r"Traceback|File \"|\.py\b|127\.0\.0\.1|localhost|psycopg|pymongo|amqp://|mongodb://")
JSON = {"Content-Type": "application/json"}
MAIL = '{"action":"mail","mail":{"from":"%s","to":"%s","subject":"%s","message":"m"}}'
AUTH = '{"action":"auth","auth":{"email":"%s","password":"%s"}}'


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b'{"action":"log"} {"action":"log"}', JSON, 400),
        (b'{"action":"nothing"}', JSON, 400),
        (b'{"action":"log","log":{"name":"n","data":"d","via":"pigeon"}}', JSON, 501),
        (b'{"action":"log","log":{"name":"n","data":"d"}}', {"Content-Type": "text/plain"}, 415),
        (b'{"action":"log","log":{"name":"n","data":"' + b"d" * 1024 * 1024 + b'"}}', JSON, 413),
        (b'{"action":"log","log":{"data":"d"}}', JSON, 422),
        (b'{"action":"log","log":{"name":5,"data":"d"}}', JSON, 422),
        (b'{"action":"log","log":{"name":"' + b"n" * 256 + b'","data":"d"}}', JSON, 422),
        (b'{"action":"log","log":{"name":"n","data":"\\u0000"}}', JSON, 422),
        (b'{"action":"log","log":{"name":"n","data":"\\ud800"}}', JSON, 400),
        (b'{"action":"log","log":{"name":"n","data":"\xff"}}', JSON, 400),
        ((AUTH % ("admin@example.com", "wrong")).encode(), JSON, 401),
        ((AUTH % ("nobody@example.com", "wrong")).encode(), JSON, 401),
        ((AUTH % ("admin@example.com", "p" * 73)).encode(), JSON, 422),
        ((AUTH % ("admin@example.com", "\\u0000")).encode(), JSON, 422),
        (b'{"action":"auth","auth":{"email":"admin@example.com"}}', JSON, 422),
        ((MAIL % ("a@b.example", "nobody", "s")).encode(), JSON, 422),
        ((MAIL % ("a@b.example", "c@d.example", "s\\r\\nBcc: x@y.example")).encode(), JSON, 422),
        ((MAIL % ("a@b.example\\nX: y", "c@d.example", "s")).encode(), JSON, 422),
    ],
)
def test_bad_input_gets_its_status_names_no_internals_and_changes_nothing(system, log_documents, body, headers, status):
    before = log_documents.count_documents({"name": "n"})

    reply = system.post_raw("broker", "/handle", body, **headers)

    assert reply.status_code == status
    assert reply.json()["error"] is True
    assert reply.json()["message"]
    assert not INTERNAL.search(reply.text)
    assert log_documents.count_documents({"name": "n"}) == before


def test_unknown_and_wrong_answer_alike(system):
    def answer(email: str) -> tuple[int, str]:
        reply = system.post("broker", "/handle", {"action": "auth", "auth": {"email": email, "password": "wrong"}})
        return reply.status_code, reply.text

    assert (
        answer("admin@example.com")
        == answer("nobody@example.com")
        == (401, '{"error":true,"message":"invalid credentials"}')
    )


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_problem_found_by_a_service_points_into_the_body_that_the_client_sent(system, field):
    mail = {"from": "a@b.example", "to": "c@d.example", "subject": "s", "message": "m", field: "x\r\ny"}

    reply = system.post("broker", "/handle", {"action": "mail", "mail": mail})

    assert reply.status_code == 422
    assert f"#/mail/{field}" in {problem["pointer"] for problem in reply.json()["errors"]}
