from __future__ import annotations

import sys

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from auth import arrival, migrations
from auth.cli import main
from auth.settings import AuthSettings
from common.errors import UnavailableError
from common.settings import load

# Port 1 of loopback: nobody listens there.
NOWHERE = "host=127.0.0.1 port=1 user=auth password=hunter2 dbname=users"


def test_the_known_head_is_the_last_revision_of_one_unbroken_line():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])

    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_heads() == [migrations.HEAD]
    assert [script.revision for script in scripts.walk_revisions()] == ["0002", "0001"]


def test_postgresql_is_tried_five_times_two_seconds_apart_then_one_clear_line():
    rests = []

    with pytest.raises(UnavailableError) as failed:
        arrival.look(NOWHERE, rest=rests.append)

    assert rests == [2.0] * 4
    assert failed.value.message == "PostgreSQL does not let us in after 5 tries, 2 s apart: Connection refused"


@pytest.mark.parametrize("command", [["setup"], ["migrate", "--to", "head"]])
def test_a_command_that_meets_no_database_fails_with_that_line_alone(command, monkeypatch, capsys):
    monkeypatch.setenv("DSN", NOWHERE)
    monkeypatch.setattr(arrival, "PAUSE_SECONDS", 0.001)

    assert main(command) == 1

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("auth: PostgreSQL does not let us in")
    assert "hunter2" not in told


def create_user(*, email="new@example.com"):
    return main(["create-user", "--email", email, "--first-name", "N", "--last-name", "U"])


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [
        ("nonsense", "longenough", ["auth: email: An email address must have an @-sign."]),
        ("a@example.com", "short", ["auth: password: must have at least 8 characters"]),
        ("a@example.com", "x" * 73, ["auth: password: must not be longer than 72 bytes"]),
        ("a b", "x", ["auth: email: ", "auth: password: "]),
    ],
)
def test_a_user_that_breaks_rules_is_refused_with_a_line_for_each(monkeypatch, capsys, email, password, told):
    monkeypatch.setenv("DSN", NOWHERE)
    monkeypatch.setenv("NEW_PASSWORD", password)

    assert create_user(email=email) == 2

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(told)
    assert all(line.startswith(start) for line, start in zip(lines, told, strict=True))


def test_without_a_terminal_and_without_a_variable_there_is_no_password(monkeypatch, capsys):
    monkeypatch.delenv("NEW_PASSWORD", raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)

    assert create_user() == 2
    assert capsys.readouterr().err == "auth: password: set NEW_PASSWORD, or use a terminal\n"


def test_a_password_is_never_taken_as_an_argument(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["create-user", "--email", "a@example.com", "--password", "longenough"])

    assert stopped.value.code == 2
    assert "longenough" not in capsys.readouterr().out


@pytest.mark.parametrize(("name", "value"), [("BCRYPT_COST", "17"), ("BCRYPT_COST", "3"), ("AUTH_THREADS", "0")])
def test_settings_out_of_range_stop_the_start(monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        load(AuthSettings)

    assert name in capsys.readouterr().err


def test_production_refuses_cheap_hashes(monkeypatch, capsys):
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("DSN", "host=db user=auth password=s3cret-of-ours dbname=users")
    monkeypatch.setenv("RABBIT_URL", "amqp://auth:s3cret-of-ours@rabbit/")
    monkeypatch.setenv("BCRYPT_COST", "9")

    with pytest.raises(SystemExit):
        load(AuthSettings)

    assert "BCRYPT_COST must be at least 10 in production" in capsys.readouterr().err
