"""`python -m worker deadletters` against the real RabbitMQ: looking costs nothing, replaying loses nothing, purging takes what was named."""

from __future__ import annotations

import json
import os
import pty
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
from bson import ObjectId

from common.ids import object_id_hex
from tests.system import System
from tests.waiting import eventually
from tests.worker.rabbit import Rabbit, connected

LETTERS = "logs.dlq"


@pytest.fixture
def rabbit(system: System) -> Iterator[Rabbit]:
    system.wait_ready("worker")
    with connected(system.env["RABBIT_URL"]) as opened:
        opened.purge(LETTERS)
        yield opened
        opened.purge(LETTERS)


@pytest.fixture
def command(system: System):
    """Runs one command; the result has `returncode`, `stdout`, `stderr`."""

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return system.run([sys.executable, "-m", "worker", "deadletters", *arguments], **changes)

    return run


def lines(done: subprocess.CompletedProcess[str]) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def bury(rabbit: Rabbit, *ids: str, reason: str = "name must be a string", key: str = "log.ERROR", **event) -> None:
    """Letters as the listener leaves them, each of an event that could be stored now."""
    attempts = json.dumps([{"at": "2026-03-01T10:00:00.000+00:00", "reason": reason, "tier": LETTERS}])
    for each in ids:
        rabbit.publish(
            json.dumps({"name": "event", "data": f"data of {each}", "id": each, **event}).encode(),
            exchange="logs.dlx",
            key=key,
            headers={"x-reason": reason, "x-refused-at": "2026-03-01T10:00:00.000+00:00", "x-attempts": attempts},
            message_id=f"message-{each}",
        )


def new_ids(count: int) -> list[str]:
    run = secrets.token_hex(4)
    return [f"{run}-{number:03}" for number in range(count)]


def test_a_list_is_aligned_for_people_and_one_object_a_line_for_programs(rabbit, command):
    one, two = new_ids(2)
    bury(rabbit, one)
    bury(rabbit, two, reason="could not be handled: KeyError\x1b[31m" + "x" * 100, key="log.WARNING")

    table = command("list")
    first, second = sorted(lines(command("list", "--json")), key=lambda each: each["id"])

    head, *rows = table.stdout.splitlines()
    assert head.split() == ["ID", "WHEN", "REASON", "KEY", "BODY"]
    assert [row[head.index("KEY") :].split()[0] for row in sorted(rows)] == ["log.ERROR", "log.WARNING"]
    assert "\x1b" not in table.stdout
    assert first == {
        "id": one,
        "at": "2026-03-01T10:00:00.000+00:00",
        "reason": "name must be a string",
        "routing_key": "log.ERROR",
        "attempts": 1,
        "body": f'{{"name": "event", "data": "data of {one}", "id": "{one}"}}'[:60],
    }
    assert second["id"] == two
    assert rabbit.waiting(LETTERS) == 2


def test_a_list_can_be_narrowed(rabbit, command):
    ids = new_ids(5)
    bury(rabbit, *ids[:3])
    bury(rabbit, *ids[3:], reason="data must be a string")

    assert [each["id"] for each in lines(command("list", "--json", "--reason", "DATA must"))] == ids[3:]
    limited = command("list", "--json", "--limit", "2")
    assert len(lines(limited)) == 2
    assert "5 letters lie there" in limited.stderr


def test_an_empty_archive_is_no_failure(rabbit, command):
    done = command("list")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_letter_is_shown_whole_by_the_id_of_its_record_or_its_message(rabbit, command):
    (one,) = new_ids(1)
    bury(rabbit, one, fields={"order": 7})

    shown = command("show", one)
    (whole,) = lines(command("show", f"message-{one}", "--json"))

    assert shown.returncode == 0
    assert f"data of {one}" in shown.stdout
    assert (whole["history"][0]["reason"], whole["headers"]["x-reason"]) == ("name must be a string",) * 2
    assert json.loads(whole["body"])["fields"] == {"order": 7}
    assert whole["properties"]["message_id"] == f"message-{one}"


def test_an_unknown_id_is_said_and_fails(rabbit, command):
    for arguments in (["show", "nobody"], ["replay", "--id", "nobody"], ["purge", "--id", "nobody", "--yes"]):
        done = command(*arguments)

        assert (done.returncode, done.stderr) == (1, "worker: no dead letter has the id nobody\n")


def test_letters_can_be_looked_at_any_number_of_times(rabbit, command):
    """RabbitMQ 4 drops a message of such a queue after 20 deliveries; the count that it would go by never comes near."""
    ids = new_ids(3)
    bury(rabbit, *ids)

    for _ in range(25):
        assert {each["id"] for each in lines(command("list", "--json"))} == {*ids}

    assert rabbit.waiting(LETTERS) == 3
    letters = [rabbit.take(LETTERS) for _ in ids]
    assert all(letter.headers["x-delivery-count"] <= 12 for letter in letters)
    assert {letter.properties["message_id"] for letter in letters} == {f"message-{each}" for each in ids}
    assert {letter.delivery_info["routing_key"] for letter in letters} == {"log.ERROR"}
    assert all(letter.headers["x-reason"] == "name must be a string" for letter in letters)


def test_what_is_replayed_is_stored_under_its_id_and_leaves_the_archive(rabbit, command, log_documents):
    ids = new_ids(250)
    bury(rabbit, *ids)

    done = command("replay", "--all")

    assert (done.returncode, done.stdout) == (0, "250 letters replayed\n")
    assert rabbit.waiting(LETTERS) == 0
    keys = [ObjectId(object_id_hex(each)) for each in ids]
    eventually(lambda: log_documents.count_documents({"_id": {"$in": keys}}) == 250, seconds=30)
    assert log_documents.find_one({"_id": keys[0]})["level"] == "ERROR"


def test_a_replay_that_is_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    rabbit, command, system, log_documents
):
    ids = new_ids(3000)
    bodies = [json.dumps({"name": "event", "data": "killed", "id": each}).encode() for each in ids]
    rabbit.publish(*bodies, exchange="logs.dlx", headers={"x-reason": "odd"})
    of_these = {"_id": {"$in": [ObjectId(object_id_hex(each)) for each in ids]}}
    killed = subprocess.Popen(
        [sys.executable, "-m", "worker", "deadletters", "replay", "--all"], env=system.environment()
    )
    eventually(lambda: log_documents.count_documents(of_these), every=0.01)
    killed.kill()
    killed.wait(timeout=10)
    left = eventually(lambda: rabbit.waiting(LETTERS))

    done = command("replay", "--all")

    assert 0 < left < 3000
    assert done.stdout == f"{left} letters replayed\n"
    eventually(lambda: log_documents.count_documents(of_these) == 3000, seconds=30)
    eventually(lambda: rabbit.waiting("logs.store") == 0)
    assert log_documents.count_documents({"data": "killed", **of_these}) == 3000
    assert rabbit.waiting(LETTERS) == 0


def test_replaying_the_same_event_twice_is_one_record(rabbit, command, log_documents):
    (one,) = new_ids(1)
    bury(rabbit, one, one)

    command("replay", "--id", one)

    eventually(lambda: log_documents.find_one({"data": f"data of {one}"}))
    eventually(lambda: rabbit.waiting("logs.store") == 0)
    assert log_documents.count_documents({"data": f"data of {one}"}) == 1


def test_what_fails_again_comes_back_with_its_whole_history(rabbit, command):
    (one,) = new_ids(1)
    bury(rabbit, one, data=5)

    assert command("replay", "--reason", "name must").returncode == 0

    (letter,) = eventually(lambda: lines(command("list", "--json", "--reason", "data must be a string")))
    (whole,) = lines(command("show", letter["id"], "--json"))
    assert [each["tier"] for each in whole["history"]] == [LETTERS, "replay", LETTERS]
    assert whole["headers"]["x-replayed-at"] == whole["history"][1]["at"]


def test_a_rehearsal_changes_nothing(rabbit, command):
    ids = new_ids(3)
    bury(rabbit, *ids)

    replay, purge = command("replay", "--all", "--dry-run"), command("purge", "--limit", "2", "--dry-run")

    assert "3 letters would be replayed" in replay.stdout
    assert "2 letters would be deleted" in purge.stdout
    assert rabbit.waiting(LETTERS) == 3


def test_purge_deletes_what_was_named_and_asks_before(rabbit, command):
    ids = new_ids(4)
    bury(rabbit, *ids[:3])
    bury(rabbit, ids[3], reason="data must be a string")

    refused = command("purge", "--all")
    assert (refused.returncode, rabbit.waiting(LETTERS)) == (2, 4)
    assert "--yes" in refused.stderr
    done = command("purge", "--reason", "name must", "--yes", "--json")

    assert [each["outcome"] for each in lines(done)] == ["deleted"] * 3
    assert [each["id"] for each in lines(command("list", "--json"))] == [ids[3]]


@pytest.mark.parametrize("arguments", [["replay"], ["purge", "--yes"], ["list", "--limit", "0"], ["show"], ["forget"]])
def test_a_command_that_does_not_say_what_it_is_about_does_nothing(rabbit, command, arguments):
    bury(rabbit, *new_ids(1))

    done = command(*arguments)

    assert done.returncode == 2
    assert rabbit.waiting(LETTERS) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("amqp://guest:secret@127.0.0.1:1/", "the message queue cannot be reached or was lost"),
        ("{url}", "the message queue refuses the user of RABBIT_URL"),
    ],
)
def test_a_rabbitmq_that_is_away_or_refuses_is_one_clear_line(system, command, url, told):
    wrong = url.format(url=system.env["RABBIT_URL"].replace("guest:guest@", "guest:secret@"))

    done = command("list", RABBIT_URL=wrong)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"worker: {told}\n")


def test_what_rabbitmq_itself_set_aside_is_listed_with_its_word_for_it(rabbit, command, monkeypatch):
    import amqp  # noqa: PLC0415 - only to break a message

    monkeypatch.setattr(
        amqp.Message, "_serialize_properties", lambda _: b"\x20\x00" + b"\x00\x00\x00\x0c" + b"\x02atT" + b"\xff" * 8
    )
    rabbit.publish(json.dumps({"name": "event", "data": "x", "id": "odd"}).encode())
    monkeypatch.undo()
    eventually(lambda: rabbit.waiting(LETTERS) == 1)

    (letter,) = lines(command("list", "--json"))
    replayed = command("replay", "--all")

    assert letter["reason"] == "the properties of the message cannot be read"
    assert (replayed.returncode, rabbit.waiting(LETTERS)) == (1, 1)
    assert "not replayed: odd" in replayed.stderr


def test_letters_that_arrive_meanwhile_are_left_for_the_next_command(rabbit, command, system):
    """The first command is held between looking and deleting by its question, on a terminal of its own."""
    ids = new_ids(3)
    bury(rabbit, *ids[:2])
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as terminal, os.fdopen(theirs) as stdin:
        asking = subprocess.Popen(
            [sys.executable, "-m", "worker", "deadletters", "purge", "--all"],
            env=system.environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: rabbit.waiting(LETTERS) == 0)
        bury(rabbit, ids[2])

        terminal.write(b"yes\n")
        told, _ = asking.communicate(timeout=20)

    assert "Delete these 2 letters for good?" in told
    assert [each["id"] for each in lines(command("list", "--json"))] == [ids[2]]
