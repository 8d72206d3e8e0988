"""The HTTP door of the mailer: the original's contract, its additions, and every bad input."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from common.errors import DeadlineError, InvalidError, Problem, UnavailableError
from mailer.app import create_app
from mailer.memory import MemorySender
from mailer.settings import MailerSettings

LETTER = {"from": "me@here.com", "to": "you@there.com", "subject": "Test email", "message": "Hello world!"}


@pytest.fixture
def sender():
    return MemorySender()


@pytest.fixture
def client(sender):
    settings = MailerSettings(mail_domain="mail.example", from_name="Our System", from_address="noreply@example.com")
    return create_app(settings, sender=sender).test_client()


def attachment(**changes) -> dict[str, str]:
    content = base64.b64encode(b"%PDF-1.7").decode()
    return {"filename": "bill.pdf", "content_type": "application/pdf", "content": content} | changes


def test_a_letter_is_answered_in_the_original_envelope(client, sender):
    reply = client.post("/send", json=LETTER)

    (mail,) = sender.taken
    assert reply.status_code == 202
    assert list(reply.json) == ["error", "message", "data"]
    assert reply.json == {
        "error": False,
        "message": "sent to you@there.com",
        "data": {"id": mail.id, "message_id": f"<{mail.id}@mail.example>"},
    }
    assert (mail.sender.address, mail.recipient.address) == ("me@here.com", "you@there.com")
    assert mail.subject == "Test email"
    assert "Hello world!" in mail.bodies.text
    assert "Hello world!" in mail.bodies.html


def test_only_the_recipient_is_required(client, sender):
    reply = client.post("/send", json={"to": "you@there.com"})

    assert reply.status_code == 202
    assert sender.taken[0].subject == ""


@pytest.mark.parametrize("sender_field", [{}, {"from": ""}, {"from": "  "}, {"from": "noreply@example.com"}])
def test_the_systems_own_address_comes_with_the_systems_name(client, sender, sender_field):
    client.post("/send", json={"to": "you@there.com"} | sender_field)

    assert (sender.taken[0].sender.name, sender.taken[0].sender.address) == ("Our System", "noreply@example.com")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"from": "me@here.com"}, ""),
        ({"from": "Me <me@here.com>"}, "Me"),
        ({"from": "Me <me@here.com>", "from_name": "Jo"}, "Jo"),
        ({"from": "", "from_name": "Jo"}, "Jo"),
    ],
)
def test_the_senders_name_is_the_one_given_last_and_never_borrowed(client, sender, fields, name):
    client.post("/send", json=LETTER | fields)

    assert sender.taken[0].sender.name == name


def test_the_answer_repeats_the_recipient_as_it_was_written(client, sender):
    reply = client.post("/send", json=LETTER | {"to": "Jörg Müller <Joerg@Exämple.COM>"})

    assert reply.json["message"] == "sent to Jörg Müller <Joerg@Exämple.COM>"
    assert sender.taken[0].recipient.address == "Joerg@xn--exmple-cua.com"
    assert sender.taken[0].recipient.name == "Jörg Müller"


def test_attachments_arrive_byte_for_byte(client, sender):
    data = bytes(range(256))
    wrapped = base64.encodebytes(data).decode()

    reply = client.post("/send", json=LETTER | {"attachments": [attachment(content=wrapped, filename="Übersicht.pdf")]})

    assert reply.status_code == 202
    (got,) = sender.taken[0].attachments
    assert (got.filename, got.content_type, got.data) == ("Übersicht.pdf", "application/pdf", data)


def test_an_attachment_needs_no_type(client, sender):
    body = attachment()
    del body["content_type"]

    client.post("/send", json=LETTER | {"attachments": [body]})

    assert sender.taken[0].attachments[0].content_type == "application/octet-stream"


def test_a_template_is_chosen_by_name(client, sender):
    client.post("/send", json=LETTER | {"template": "plain"})

    assert sender.taken[0].bodies.text == "Hello world!"


def test_the_request_can_be_found_again_from_the_mail(client, sender):
    headers = {"X-Request-Id": "req-7", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    client.post("/send", json=LETTER, headers=headers)

    assert dict(sender.taken[0].trace) == {"X-Request-Id": "req-7", "X-Trace-Id": "4bf92f3577b34da6a3ce929d0e0e4736"}


def test_a_missing_content_type_counts_as_json_as_go_clients_send_none(client):
    assert client.post("/send", data=json.dumps(LETTER).encode()).status_code == 202


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (InvalidError("refused: no such mailbox (550)", problems=[Problem("#/to", "refused")]), 422, None),
        (UnavailableError("the mail server cannot be reached", retry_after=5), 503, "5"),
        (DeadlineError("the mail server did not answer in time"), 504, None),
    ],
)
def test_what_smtp_did_not_take_is_never_called_sent(client, sender, failure, status, retry_after):
    sender.failure = failure

    reply = client.post("/send", json=LETTER)

    assert reply.status_code == status
    assert reply.json["error"] is True
    assert reply.json["message"] == failure.message
    assert reply.headers.get("Retry-After") == retry_after


@pytest.mark.parametrize("field", ["from", "to", "subject", "from_name", "template"])
@pytest.mark.parametrize(
    "evil", ["\r\nBcc: x@y.z", "\n", "\r", "\x00", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
)
def test_nothing_that_could_end_a_header_line_is_let_in(client, sender, field, evil):
    reply = client.post("/send", json=LETTER | {field: f"a@b.com{evil}"})

    assert reply.status_code == 422
    assert [problem["pointer"] for problem in reply.json["errors"]] == [f"#/{field}"]
    assert sender.taken == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"to": ""}, "#/to"),
        ({"to": None}, "#/to"),
        ({"to": 7}, "#/to"),
        ({"to": ["a@b.com"]}, "#/to"),
        ({"to": "nobody"}, "#/to"),
        ({"to": "a@b.com, c@d.com"}, "#/to"),
        ({"to": "a@b.com, C <c@d.com>"}, "#/to"),
        ({"to": "a@localhost"}, "#/to"),
        ({"to": "x" * 65 + "@b.com"}, "#/to"),
        ({"to": "N" * 600 + " <a@b.com>"}, "#/to"),
        ({"from": "nobody"}, "#/from"),
        ({"subject": "x" * 256}, "#/subject"),
        ({"subject": 1}, "#/subject"),
        ({"message": {"a": 1}}, "#/message"),
        ({"message": "nul \x00"}, "#/message"),
        ({"from_name": "x" * 256}, "#/from_name"),
        ({"template": ""}, "#/template"),
        ({"template": "../secret"}, "#/template"),
        ({"template": "_layout"}, "#/template"),
        ({"template": "nothing"}, "#/template"),
        ({"attachments": {}}, "#/attachments"),
        ({"attachments": ["text"]}, "#/attachments/0"),
        ({"attachments": [attachment()] * 11}, "#/attachments"),
    ],
)
def test_a_broken_rule_is_named_and_nothing_is_sent(client, sender, changes, pointer):
    reply = client.post("/send", json=LETTER | changes)

    assert reply.status_code == 422
    assert [problem["pointer"] for problem in reply.json["errors"]] == [pointer]
    assert sender.taken == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"content": "not base64!"}, "content"),
        ({"content": "YWJj="}, "content"),
        ({"content": "YWJj===="}, "content"),
        ({"content": "YQ"}, "content"),
        ({"content": "Ä"}, "content"),
        ({"filename": ""}, "filename"),
        ({"filename": ".."}, "filename"),
        ({"filename": "../etc/passwd"}, "filename"),
        ({"filename": "C:\\temp"}, "filename"),
        ({"filename": "a\r\nX: y"}, "filename"),
        ({"filename": "a\u2028b"}, "filename"),
        ({"filename": "cod\u202efdp.exe"}, "filename"),
        ({"filename": "Ä" * 128}, "filename"),
        ({"content_type": "pdf"}, "content_type"),
        ({"content_type": "text/plain\r\nX: y"}, "content_type"),
        ({"content_type": "text/plain; name=x"}, "content_type"),
        ({"content_type": "multipart/mixed"}, "content_type"),
        ({"content_type": "message/rfc822"}, "content_type"),
    ],
)
def test_a_broken_attachment_is_named(client, sender, changes, field):
    reply = client.post("/send", json=LETTER | {"attachments": [attachment(**changes)]})

    assert reply.status_code == 422
    assert [problem["pointer"] for problem in reply.json["errors"]] == [f"#/attachments/0/{field}"]
    assert sender.taken == []


def test_all_broken_rules_are_named_at_once_as_a_problem_when_asked_for(client):
    reply = client.post("/send", json={"subject": "\n"}, headers={"Accept": "application/problem+json"})

    assert reply.status_code == 422
    assert reply.content_type == "application/problem+json"
    assert {problem["pointer"] for problem in reply.json["errors"]} == {"#/to", "#/subject"}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"", "application/json", 400, "body must not be empty"),
        (b"{", "application/json", 400, "body is not valid JSON"),
        (b'{"to":"a@b.com"}{}', "application/json", 400, "body must have only a single JSON value"),
        (b'{"to":"a@b.com","message":"\\ud800"}', "application/json", 400, "body is not valid JSON"),
        (b'{"to":"a@b.com","message":"\xff"}', "application/json", 400, "body is not valid JSON"),
        (b"[]", "application/json", 422, "body is invalid"),
        (b"to=a@b.com", "application/x-www-form-urlencoded", 415, "Content-Type must be application/json"),
        (b'{"to":"' + b"x" * 1024 * 1024 + b'"}', "application/json", 413, "body is larger than 1 MiB"),
    ],
)
def test_a_body_that_is_no_letter_is_refused(client, sender, body, content_type, status, message):
    reply = client.post("/send", data=body, content_type=content_type)

    assert reply.status_code == status
    assert reply.json["error"] is True
    assert reply.json["message"].startswith(message)
    assert sender.taken == []


def test_a_compressed_body_is_refused_with_the_coding_that_is_read(client, sender):
    reply = client.post("/send", json=LETTER, headers={"Content-Encoding": "gzip"})

    assert (reply.status_code, reply.headers["Accept-Encoding"]) == (415, "identity")
    assert sender.taken == []


def test_a_mail_that_fills_the_whole_request_is_sent(client, sender):
    content = base64.b64encode(b"x" * 750_000).decode()

    reply = client.post("/send", json=LETTER | {"attachments": [attachment(content=content)]})

    assert reply.status_code == 202
    assert len(sender.taken[0].attachments[0].data) == 750_000


def test_the_log_names_the_mail_and_no_one(client, sender, caplog):
    with caplog.at_level(logging.INFO):
        client.post("/send", json=LETTER)
        sender.failure = UnavailableError("the mail server cannot be reached")
        client.post("/send", json=LETTER)

    sent = next(record for record in caplog.records if record.getMessage() == "mail_sent")
    assert (sent.mail_id, sent.recipient_domain) == (sender.taken[0].id, "there.com")
    said = caplog.text + str([vars(record) for record in caplog.records])
    assert "you@there.com" not in said
    assert "Hello world!" not in said


def test_without_its_mail_server_the_mailer_is_ready_but_degraded():
    app = create_app(MailerSettings(mail_port=1, mail_host="127.0.0.1"))

    reply = app.test_client().get("/readyz")

    assert reply.status_code == 200
    assert reply.json["degraded"] is True
    assert reply.json["checks"]["smtp"]["error"] == "the mail server does not answer"
    assert reply.json["checks"]["smtp"]["critical"] is False


def test_ping_and_livez_need_no_mail_server(client):
    assert client.get("/ping").text == "OK"
    assert client.get("/livez").json["service"] == "mailer"


def test_other_methods_are_named(client):
    reply = client.get("/send")

    assert reply.status_code == 405
    assert "POST" in reply.headers["Allow"]
