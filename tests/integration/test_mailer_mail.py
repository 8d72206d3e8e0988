"""From POST /send to the mailbox and back: what arrives is what was asked for, and only what arrived is called sent."""

from __future__ import annotations

import base64
import email
import email.policy
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

import pytest
import requests

from tests.mailer.smtp_server import CERTIFICATE, Script, scripted_server
from tests.services import own_service

LETTER = {"from": "me@here.com", "to": "you@there.com", "subject": "Test email", "message": "Hello world!"}


def post(url: str, body: object) -> requests.Response:
    return requests.post(f"{url}/send", json=body, timeout=30)


def in_the_mailbox(system, message_id: str) -> dict:
    reply = requests.get(
        f"{system.env['MAILBOX_URL']}/api/v2/wait", params={"message_id": message_id, "timeout": 10}, timeout=15
    )
    assert reply.status_code == 200, reply.text
    return reply.json()


def sent(system, url: str = "", **changes) -> EmailMessage:
    """The mail as it lies in the mailbox after the mailer called it sent."""
    reply = post(url or system.env["MAILER_URL"], LETTER | changes)
    assert reply.status_code == 202, reply.text
    raw = in_the_mailbox(system, reply.json()["data"]["message_id"])["Raw"]["Data"]
    return email.message_from_bytes(raw.encode(), policy=email.policy.default)


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


def test_the_seeds_letter_arrives(system):
    reply = post(system.env["MAILER_URL"], LETTER)

    assert reply.status_code == 202
    assert reply.json()["message"] == "sent to you@there.com"
    found = in_the_mailbox(system, reply.json()["data"]["message_id"])
    assert found["Raw"]["From"] == "me@here.com"
    assert found["Raw"]["To"] == ["you@there.com"]
    assert found["Raw"]["Helo"] == system.env["MAIL_DOMAIN"]
    assert found["Content"]["Headers"]["Subject"] == ["Test email"]


def test_the_mail_has_the_same_content_as_text_and_as_html_with_inlined_css(system):
    mail = sent(system, message="Grüße,\nLine <two>\nhttps://example.com/?a=1&b=2")

    assert text_of(mail, "plain").startswith("Grüße,\nLine <two>\nhttps://example.com/?a=1&b=2")
    html = text_of(mail, "html")
    assert "Grüße,<br>Line &lt;two&gt;<br>" in html
    assert 'href="https://example.com/?a=1&amp;b=2"' in html
    assert 'class="card" style="' in html
    assert mail["Auto-Submitted"] == "auto-generated"


def test_without_a_sender_the_mail_comes_from_this_system_by_name(system):
    mail = sent(system, **{"from": ""})

    (address,) = mail["From"].addresses
    assert (address.display_name, address.addr_spec) == (system.env["FROM_NAME"], system.env["FROM_ADDRESS"])


def test_letters_of_any_alphabet_arrive(system):
    subject = "Übersicht für März: 你好, мир! 🌍 " * 4

    mail = sent(system, subject=subject, from_name="Jörg, der Erste", to="Zoë <you@exämple.com>", message="你好 🌍")

    assert mail["Subject"] == subject
    assert mail["From"].addresses[0].display_name == "Jörg, der Erste"
    assert mail["To"].addresses[0].display_name == "Zoë"
    assert mail["To"].addresses[0].addr_spec == "you@xn--exmple-cua.com"
    assert text_of(mail, "plain").startswith("你好 🌍")


def test_an_attachment_arrives_byte_for_byte(system):
    data = bytes(range(256)) * 2000
    attachment = {
        "filename": "Übersicht.bin",
        "content_type": "application/octet-stream",
        "content": base64.b64encode(data).decode(),
    }

    mail = sent(system, attachments=[attachment])

    (got,) = mail.iter_attachments()
    assert got.get_filename() == "Übersicht.bin"
    assert got.get_content() == data


def test_the_request_is_named_in_the_mail(system):
    reply = requests.post(
        f"{system.env['MAILER_URL']}/send", json=LETTER, headers={"X-Request-Id": "from-the-console-1"}, timeout=30
    )

    headers = in_the_mailbox(system, reply.json()["data"]["message_id"])["Content"]["Headers"]
    assert headers["X-Request-Id"] == ["from-the-console-1"]
    assert headers["X-Trace-Id"] == [reply.headers["X-Trace-Id"]]


def test_header_injection_sends_nothing(system):
    marker = f"injected-{time.monotonic_ns()}"

    reply = post(system.env["MAILER_URL"], LETTER | {"subject": f"{marker}\r\nBcc: spy@there.com"})

    assert reply.status_code == 422
    found = requests.get(
        f"{system.env['MAILBOX_URL']}/api/v2/search", params={"kind": "containing", "query": marker}, timeout=15
    )
    assert found.json()["total"] == 0


def test_many_mails_at_once_all_arrive(system):
    def one(number: int) -> str:
        reply = post(system.env["MAILER_URL"], LETTER | {"subject": f"many {number}"})
        assert reply.status_code == 202, reply.text
        return reply.json()["data"]["message_id"]

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(one, range(40)))

    assert len(set(ids)) == 40
    for number, message_id in enumerate(ids):
        assert in_the_mailbox(system, message_id)["Content"]["Headers"]["Subject"] == [f"many {number}"]


def test_the_mailer_is_ready_and_sees_its_mail_server(system):
    reply = requests.get(f"{system.env['MAILER_URL']}/readyz", timeout=5)

    assert reply.status_code == 200
    assert reply.json()["checks"]["smtp"]["status"] == "up"


def test_without_a_mail_server_nothing_is_called_sent(system):
    with own_service(system, "mailer", MAIL_PORT="1") as url:
        reply = post(url, LETTER)
        ready = requests.get(f"{url}/readyz", timeout=5)

    assert reply.status_code == 503
    assert reply.json() == {"error": True, "message": "the mail server cannot be reached"}
    assert int(reply.headers["Retry-After"]) > 0
    assert (ready.status_code, ready.json()["degraded"]) == (200, True)


@pytest.mark.parametrize(("tls", "encryption"), [("starttls", "tls"), ("ssl", "ssl")])
def test_encryption_and_credentials_come_from_the_environment(system, tls, encryption):
    changes = {"MAIL_HOST": "localhost", "MAIL_ENCRYPTION": encryption, "MAIL_USERNAME": "u", "MAIL_PASSWORD": "p"}
    with (
        scripted_server(Script(tls=tls, offers=("AUTH PLAIN", "8BITMIME"))) as script,
        own_service(system, "mailer", MAIL_PORT=str(script.port), SSL_CERT_FILE=str(CERTIFICATE), **changes) as url,
    ):
        reply = post(url, LETTER)

    assert reply.status_code == 202
    assert script.secured == 1
    assert any(line.startswith("AUTH PLAIN ") for line in script.heard)


def test_templates_of_ones_own_are_used(system, tmp_path):
    (tmp_path / "bill.html.jinja").write_text("<style>b { color: green }</style><b>{{ text }}</b>")
    (tmp_path / "bill.txt.jinja").write_text("Bill: {{ text }}")

    with own_service(system, "mailer", MAIL_TEMPLATES=str(tmp_path)) as url:
        mail = sent(system, url, template="bill", message="12 <EUR>")

    assert text_of(mail, "plain").strip() == "Bill: 12 <EUR>"
    assert '<b style="color: green' in text_of(mail, "html")
    assert "12 &lt;EUR&gt;" in text_of(mail, "html")
