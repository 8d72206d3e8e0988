"""The HTTP door of the development mailbox: routes, refusals, and what keeps mail harmless."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from compose.mailbox.message import Message
from compose.mailbox.store import Store
from compose.mailbox.web.app import create_app


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "mail.db")
    yield opened
    opened.close()


@pytest.fixture
def client(store: Store) -> FlaskClient:
    return create_app(store, smtp_address="127.0.0.1:1025", allowed_hosts=("mail.corp.example",)).test_client()


def add(store: Store, *, to: str = "bob@example.com", subject: str = "Hi") -> Message:
    mail = EmailMessage()
    mail["From"] = "Ann <ann@example.com>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{subject.replace(' ', '-')}@example.com>"
    mail.set_content("Plain")
    mail.add_alternative("<p>Page</p><script>alert(1)</script>", subtype="html")
    mail.add_attachment(b"<script>x</script>", maintype="text", subtype="html", filename="é.html")
    data = mail.as_bytes().replace(b"\n", b"\r\n")
    message = Message(helo="h", sender="ann@example.com", recipients=(to,), data=data)
    store.add(message)
    return message


def test_pages_of_version_2_count_and_start_as_asked(client: FlaskClient, store: Store):
    ids = [add(store, subject=f"mail {number}").id for number in range(3)]

    answer = client.get("/api/v2/messages?start=1&limit=2").get_json()

    assert {name: answer[name] for name in ("total", "count", "start")} == {"total": 3, "count": 2, "start": 1}
    assert [item["ID"] for item in answer["items"]] == [ids[1], ids[0]]


def test_more_than_250_is_cut_to_250_as_in_mailhog(client: FlaskClient, store: Store):
    add(store)

    assert client.get("/api/v2/messages?limit=1000").get_json()["count"] == 1


@pytest.mark.parametrize(
    ("kind", "query", "found"),
    [("from", "ANN@", 1), ("from", "bob", 0), ("to", "bob", 1), ("to", "ann", 0), ("containing", "plain", 1)],
)
def test_search_looks_where_its_kind_says(client: FlaskClient, store: Store, kind: str, query: str, found: int):
    add(store)

    assert client.get(f"/api/v2/search?kind={kind}&query={query}").get_json()["total"] == found


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/messages?limit=x",
        "/api/v2/messages?start=-1",
        "/api/v2/messages?start=1e3",
        "/api/v2/messages?limit=",
        "/api/v2/messages?start=99999999999999999999999999",
        "/api/v2/messages?limit=%D9%A3",
        "/api/v2/search?kind=subject&query=a",
        "/api/v2/search?kind=to",
        "/api/v2/search?kind=to&query=" + "a" * 2000,
        "/api/v2/wait?timeout=nan",
        "/api/v2/wait?timeout=-1",
        "/api/v2/wait?timeout=3600",
        "/api/page/changes?since=x",
        "/api/page/messages?limit=x",
    ],
)
def test_bad_parameters_are_refused_with_a_reason_in_json(client: FlaskClient, path: str):
    response = client.get(path)

    assert response.status_code == 400
    assert " must " in f" {response.get_json()['error']} "


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/messages/nope"),
        ("DELETE", "/api/v1/messages/nope"),
        ("GET", "/api/v1/messages/nope/download"),
        ("GET", "/api/v1/messages/nope/mime/part/0/download"),
        ("GET", "/api/page/messages/nope"),
        ("GET", "/messages/nope/html"),
        ("GET", "/messages/nope/source"),
        ("GET", "/messages/nope/parts/0"),
        ("GET", "/no/such/page"),
    ],
)
def test_what_is_not_there_is_a_404_in_json(client: FlaskClient, method: str, path: str):
    response = client.open(path, method=method)

    assert response.status_code == 404
    assert list(response.get_json()) == ["error"]


def test_a_wrong_method_is_a_405_in_json_that_names_the_right_ones(client: FlaskClient):
    response = client.post("/api/v2/messages")

    assert (response.status_code, "GET" in response.headers["Allow"]) == (405, True)
    assert "error" in response.get_json()


def test_version_1_lists_shows_and_deletes(client: FlaskClient, store: Store):
    first, second = add(store, subject="first"), add(store, subject="second")

    assert [item["ID"] for item in client.get("/api/v1/messages").get_json()] == [second.id, first.id]
    assert client.get(f"/api/v1/messages/{first.id}").get_json()["ID"] == first.id
    assert client.delete(f"/api/v1/messages/{first.id}").status_code == 200
    assert client.delete("/api/v1/messages/").get_json() == {"deleted": 1}
    assert client.get("/api/v1/messages").get_json() == []


def test_a_download_has_the_bytes_that_were_sent(client: FlaskClient, store: Store):
    message = add(store)

    response = client.get(f"/api/v1/messages/{message.id}/download")

    assert response.data == message.data
    assert f'attachment; filename="{message.id}.eml"' in response.headers["Content-Disposition"]


def test_parts_are_counted_as_in_the_shown_tree_and_come_decoded(client: FlaskClient, store: Store):
    message = add(store)
    shown = client.get(f"/api/v1/messages/{message.id}").get_json()["MIME"]["Parts"]

    last = client.get(f"/api/v1/messages/{message.id}/mime/part/{len(shown) - 1}/download")

    assert last.data == b"<script>x</script>"
    assert client.get(f"/api/v1/messages/{message.id}/mime/part/{len(shown)}/download").status_code == 404


def test_an_attached_page_is_saved_and_never_shown(client: FlaskClient, store: Store):
    message = add(store)
    (file,) = client.get(f"/api/page/messages/{message.id}").get_json()["attachments"]

    response = client.get(f"/messages/{message.id}/parts/{file['number']}")

    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_of_a_mail_is_sandboxed_even_outside_its_frame(client: FlaskClient, store: Store):
    policy = client.get(f"/messages/{add(store).id}/html").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


def test_waiting_finds_a_mail_by_its_message_id_with_or_without_brackets(client: FlaskClient, store: Store):
    message = add(store, subject="wanted")

    for form in ("wanted@example.com", "%3Cwanted@example.com%3E"):
        assert client.get(f"/api/v2/wait?message_id={form}&timeout=0").get_json()["ID"] == message.id


def test_waiting_in_vain_is_a_408(client: FlaskClient, store: Store):
    add(store, to="someone@example.com")

    response = client.get("/api/v2/wait?to=bob@example.com&timeout=0.05")

    assert (response.status_code, "error" in response.get_json()) == (408, True)


def test_a_name_with_a_dot_that_is_not_allowed_gets_nothing(client: FlaskClient):
    assert client.get("/api/v2/messages", headers={"Host": "rebound.example.com"}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8025", "127.0.0.1", "[::1]:8025", "mailhog:8025", "MAIL.corp.example"])
def test_addresses_plain_names_and_allowed_names_are_served(client: FlaskClient, host: str):
    assert client.get("/readyz", headers={"Host": host}).get_json() == {"status": "ready", "degraded": False}


def test_a_bug_shows_no_trace_of_itself(client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr(Store, "find", fail)

    response = client.get("/api/v1/messages/x")

    assert (response.status_code, response.get_json()) == (500, {"error": "The mailbox could not answer."})


def test_a_store_that_fails_makes_the_mailbox_unready_but_not_dead(client: FlaskClient, tmp_path: Path):
    for file in tmp_path.glob("mail.db*"):
        file.unlink()
    (tmp_path / "mail.db").mkdir()

    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200
    assert client.get("/ping").data == b"OK"


def test_the_page_loads_nothing_from_elsewhere(client: FlaskClient):
    with client.get("/") as response:
        links = re.findall(r'(?:src|href)="([^"]*)"', response.text)
        policy = response.headers["Content-Security-Policy"]

    assert links
    assert all(link.startswith(("/static/", "#")) for link in links)
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
