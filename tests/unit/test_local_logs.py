"""Log files are bounded and complete; the merged view is in order of time and readable."""

from __future__ import annotations

import asyncio
import json

import pytest

from compose.local.journal import Journal, tail
from compose.local.logview import Follower, render, show_logs
from compose.local.paths import instance


@pytest.fixture
def at(tmp_path):
    made = instance("test", str(tmp_path))
    made.make_folders()
    return made


def copied(journal: Journal, *chunks: bytes) -> None:
    async def run() -> None:
        stream = asyncio.StreamReader()
        for chunk in chunks:
            stream.feed_data(chunk)
        stream.feed_eof()
        await journal.follow(stream)

    asyncio.run(run())


def test_lines_that_arrive_in_pieces_are_written_whole(at):
    journal = Journal(at.logs, "auth")

    copied(journal, b"one\ntw", b"o\nlast without newline")
    journal.close()

    assert tail(at.logs, "auth", 10) == ["one", "two", "last without newline"]


def test_output_without_any_newline_does_not_grow_in_memory_for_ever(at):
    journal = Journal(at.logs, "auth")

    copied(journal, b"x" * 600_000, b"y\n")
    journal.close()

    lines = tail(at.logs, "auth", 10)
    assert len(lines) > 1
    assert sum(map(len, lines)) == 600_001


def test_a_log_file_is_rotated_at_its_limit_and_one_older_file_is_kept(at):
    journal = Journal(at.logs, "auth", limit=1000)
    for number in range(100):
        journal.write(f"line {number}".encode())
    journal.close()

    assert (at.logs / "auth.log").stat().st_size <= 1000
    assert sorted(path.name for path in at.logs.iterdir()) == ["auth.log", "auth.log.1"]
    assert tail(at.logs, "auth", 1) == ["line 99"]


def test_a_follower_goes_on_through_a_rotation(at):
    journal = Journal(at.logs, "auth", limit=200)
    journal.write(b"before")
    follower = Follower(at.logs / "auth.log")
    follower.last(10)

    for number in range(4):
        journal.write(f"{number} {'x' * 40}".encode())
    journal.close()
    seen = [line.text[0] for _ in range(4) for line in follower.fresh()]
    follower.close()

    assert seen[-1] == "3"


def test_the_merged_view_is_in_order_of_time(at, capsys):
    (at.logs / "auth.log").write_text("2026-01-01T10:00:00.000001Z first\n2026-01-01T10:00:02.000000Z third\n")
    (at.logs / "broker.log").write_text("2026-01-01T10:00:01.000000Z second\n")

    assert show_logs(at, [], count=10, follow=False) == 0

    shown = capsys.readouterr().out.splitlines()
    assert [line.rsplit(" ", 1)[1] for line in shown] == ["first", "second", "third"]
    assert "broker" in shown[1]


def test_only_the_wanted_parts_are_shown_and_an_unknown_one_is_an_error(at, capsys):
    (at.logs / "auth.log").write_text("2026-01-01T10:00:00.000000Z mine\n")
    (at.logs / "broker.log").write_text("2026-01-01T10:00:01.000000Z other\n")

    assert show_logs(at, ["auth"], count=10, follow=False) == 0
    assert show_logs(at, ["nobody"], count=10, follow=False) == 1

    captured = capsys.readouterr()
    assert "mine" in captured.out
    assert "other" not in captured.out
    assert "nobody" in captured.err


def test_a_json_line_of_a_service_becomes_a_sentence():
    line = {"ts": "2026-01-01T10:00:00Z", "level": "error", "service": "auth", "msg": "login refused", "status": 401}

    assert render(json.dumps(line)) == "ERROR login refused status=401"


def test_a_json_line_of_mongod_becomes_a_sentence():
    line = {"t": {"$date": "x"}, "s": "W", "c": "STORAGE", "msg": "slow", "attr": {"ms": 12}}

    assert render(json.dumps(line)) == "WARNING slow ms=12"


@pytest.mark.parametrize("text", ["plain", "{broken", "[1]", '{"no": "message"}', ""])
def test_anything_else_stays_as_it_is(text):
    assert render(text) == text
