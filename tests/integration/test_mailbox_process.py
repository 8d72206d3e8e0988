"""The development mailbox as a process: real SMTP clients, a real disk, real signals."""

from __future__ import annotations

import signal
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.mailbox.running import (
    CALL_LIMIT,
    ROOT,
    RunningMailbox,
    command,
    environment,
    letter,
    running_mailbox,
)
from tests.services import free_port

SIZE_LIMIT = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMailbox]:
    with running_mailbox(tmp_path_factory.mktemp("mailbox") / "mail.db") as running:
        yield running


def test_the_server_says_what_it_can_take(mailbox: RunningMailbox):
    with mailbox.connect() as client:
        client.ehlo()

        assert client.esmtp_features["size"] == str(SIZE_LIMIT)
        assert {"8bitmime", "smtputf8"} <= set(client.esmtp_features)


def test_a_mail_can_be_read_as_soon_as_it_was_accepted(mailbox: RunningMailbox):
    mailbox.send(letter(To="at-once@example.com", Subject="Here already"))

    found = mailbox.get("/api/v2/search?kind=to&query=at-once@example.com")

    assert found["total"] == 1
    assert found["items"][0]["Content"]["Headers"]["Subject"] == ["Here already"]


def test_any_name_and_password_may_log_in(mailbox: RunningMailbox):
    with mailbox.connect() as client:
        assert client.login("anyone", "anything")[0] == 235


def test_addresses_and_header_fields_in_any_script_arrive_whole(mailbox: RunningMailbox):
    source = "Subject: 件名\r\n\r\nça va".encode()
    with mailbox.connect() as client:
        client.ehlo()
        client.sendmail("ünï@exämple.com", ["用户@例え.jp"], source, mail_options=["SMTPUTF8", "BODY=8BITMIME"])

    found = mailbox.get("/api/v2/wait?to=%E7%94%A8%E6%88%B7@%E4%BE%8B%E3%81%88.jp&subject=%E4%BB%B6%E5%90%8D")

    assert found["From"]["Mailbox"] == "ünï"
    assert found["Raw"]["Data"] == "Subject: 件名\r\n\r\nça va"


def test_a_bounce_without_a_sender_is_taken(mailbox: RunningMailbox):
    with mailbox.connect() as client:
        client.sendmail("", ["bounced@example.com"], b"Subject: Undelivered\r\n\r\n")

    assert mailbox.get("/api/v2/wait?to=bounced@example.com")["Raw"]["From"] == ""


def test_a_line_longer_than_the_standard_allows_is_taken(mailbox: RunningMailbox):
    source = b"Subject: long line\r\n\r\n" + b"x" * 200_000
    with mailbox.connect() as client:
        client.sendmail("a@example.com", ["long@example.com"], source)

    assert mailbox.get("/api/v2/wait?to=long@example.com")["Content"]["Size"] == len(source)


def test_a_mail_over_the_limit_is_refused_and_the_next_one_taken(mailbox: RunningMailbox):
    with mailbox.connect() as client:
        with pytest.raises(smtplib.SMTPResponseException) as announced:
            client.sendmail("a@example.com", ["big@example.com"], b"x" * SIZE_LIMIT + b"\r\n")
        client.rset()
        client.mail("a@example.com")
        client.rcpt("big@example.com")
        unannounced = client.data((b"x" * 70 + b"\r\n") * (SIZE_LIMIT // 70))
        client.sendmail("a@example.com", ["big@example.com"], b"Subject: small\r\n\r\n")

    assert announced.value.smtp_code == 552
    assert unannounced[0] == 552
    assert mailbox.get("/api/v2/search?kind=to&query=big@example.com")["total"] == 1


def test_many_connections_at_once_lose_nothing(mailbox: RunningMailbox):
    def send(number: int) -> None:
        mailbox.send(*(letter(To="crowd@example.com", Subject=f"{number}-{each}") for each in range(5)))

    with ThreadPoolExecutor(8) as senders:
        list(senders.map(send, range(16)))

    assert mailbox.get("/api/v2/search?kind=to&query=crowd@example.com&limit=250")["count"] == 80


def test_waiting_over_http_ends_when_the_mail_comes(mailbox: RunningMailbox):
    with ThreadPoolExecutor(1) as background:
        waiting = background.submit(mailbox.get, "/api/v2/wait?to=later@example.com&timeout=10")
        mailbox.send(letter(To="later@example.com"))

        assert waiting.result(timeout=CALL_LIMIT)["To"][0]["Mailbox"] == "later"


def test_garbage_instead_of_http_gets_a_400_without_a_trace(mailbox: RunningMailbox):
    with socket.create_connection(("127.0.0.1", mailbox.http_port), timeout=CALL_LIMIT) as connection:
        connection.sendall(b"garbage\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert b"400" in answer
    assert b"Traceback" not in answer


def test_what_was_accepted_survives_a_kill(tmp_path: Path):
    with running_mailbox(tmp_path / "mail.db") as first:
        first.send(*(letter(Subject=f"mail {number}") for number in range(20)))
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(timeout=CALL_LIMIT)

    with running_mailbox(tmp_path / "mail.db") as second:
        assert second.get("/api/v2/messages?limit=0")["total"] == 20


def test_sigterm_ends_it_within_a_second_whatever_is_going_on(tmp_path: Path):
    with running_mailbox(tmp_path / "mail.db") as mailbox, mailbox.connect() as client:
        client.ehlo()
        polling = threading.Thread(target=_call_until_cut, args=(mailbox, "/api/v2/wait?to=nobody&timeout=10"))
        polling.start()
        _wait_for_connection(mailbox)

        began = time.monotonic()
        mailbox.process.terminate()
        status = mailbox.process.wait(timeout=CALL_LIMIT)

        assert (status, time.monotonic() - began < 1) == (0, True)
        polling.join(timeout=CALL_LIMIT)
        client.close()


def test_a_taken_port_is_one_clear_line(tmp_path: Path):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            command(tmp_path / "mail.db", smtp_port=free_port(), http_port=port),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            timeout=CALL_LIMIT,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"mailbox: cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --http-port"
    ]


def test_a_file_that_is_no_mailbox_is_one_clear_line(tmp_path: Path):
    data = tmp_path / "notes.txt"
    data.write_text("not a database, but long enough to be taken for a broken one" * 20)

    ended = subprocess.run(
        command(data, smtp_port=free_port(), http_port=free_port()),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=CALL_LIMIT,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"mailbox: cannot keep mail in {data}: file is not a database"]


def _call_until_cut(mailbox: RunningMailbox, path: str) -> None:
    try:
        mailbox.call(path)
    except (OSError, HTTPException):
        return


def _wait_for_connection(mailbox: RunningMailbox) -> None:
    """Return when the long poll holds its connection, as the kernel's table of connections shows."""
    wanted = f":{mailbox.http_port:04X} "
    deadline = time.monotonic() + CALL_LIMIT
    while time.monotonic() < deadline:
        rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
        if any(wanted in row and row.split()[3] == "01" for row in rows):
            return
        time.sleep(0.02)
    raise AssertionError("the long poll did not connect")
