"""The runner with real servers: start, crash, stop, and what it leaves behind, which is nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import Redis

from compose.local import process
from compose.local.control import ask
from compose.local.lock import is_held
from compose.local.paths import ROOT, Instance, instance
from tests.waiting import eventually

SERVERS = "postgres,mongo,rabbitmq,valkey"


@dataclass(frozen=True, slots=True)
class Runner:
    """The command line, for one instance."""

    at: Instance

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "compose.local", "--instance", self.at.name, "--state", self.at.state, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def up(self, parts: str) -> str:
        done = self("up", "--only", parts)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def env(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self("env").stdout.splitlines())

    def part(self, name: str) -> dict:
        return next(part for part in ask(self.at, "status")["parts"] if part["name"] == name)

    def left(self) -> list[int]:
        return process.marked(self.at)


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Runner]:
    """All four servers, shared by the tests that change nothing in them."""
    # deeper than the 107 bytes that a socket's path may have
    deep = tmp_path_factory.mktemp("servers") / ("d" * 60) / ("e" * 60)
    runner = Runner(instance("test", str(deep)))
    runner.up(SERVERS)
    yield runner
    runner("down", "--now")


@pytest.fixture
def runner(tmp_path) -> Iterator[Runner]:
    runner = Runner(instance("test", str(tmp_path / "state")))
    yield runner
    runner("down", "--now")


def connect(dsn: str, **changes: str) -> psycopg2.extensions.connection:
    return psycopg2.connect(dsn, connect_timeout=5, **changes)


def test_each_service_role_reaches_its_own_database(servers):
    with connect(servers.env()["DSN"]) as auth, auth.cursor() as cursor:
        cursor.execute("CREATE TABLE mine (id int)")
        cursor.execute("SELECT current_database(), current_user")
        assert cursor.fetchone() == ("users", "auth")
    auth.close()


@pytest.mark.parametrize(("user", "database"), [("auth", "mail"), ("mailer", "users"), ("auth", "postgres")])
def test_no_service_role_reaches_another_database(servers, user, database):
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        connect(servers.env()["DSN"], user=user, dbname=database)


def test_postgres_asks_for_the_password(servers):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(servers.env()["DSN"], password="wrong")


def test_the_logger_user_may_use_its_own_database_and_no_other(servers):
    client = MongoClient(servers.env()["MONGO_URL"], serverSelectionTimeoutMS=5000)
    try:
        client["logs"]["logs"].insert_one({"name": "x"})
        with pytest.raises(OperationFailure, match="not authorized"):
            client["other"]["things"].insert_one({"name": "x"})
    finally:
        client.close()


def test_valkey_and_rabbitmq_listen_where_env_says(servers):
    env = servers.env()
    cache = Redis.from_url(env["VALKEY_URL"], socket_timeout=5)
    assert cache.ping()
    cache.close()
    with socket.create_connection(("127.0.0.1", int(env["RABBIT_PORT"])), 5) as door:
        door.sendall(b"AMQP\x00\x00\x09\x01")
        assert door.recv(11)[7:11] == b"\x00\x0a\x00\x0a"


def test_env_names_everything_the_example_names(servers):
    example = (ROOT / ".env.example").read_text().splitlines()
    names = {line.split("=")[0] for line in example if line and not line.startswith("#")}

    assert names - set(servers.env()) == set()


def test_killed_servers_come_back_and_status_says_so(servers):
    before = {name: servers.part(name)["pid"] for name in SERVERS.split(",")}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    for name, pid in before.items():
        eventually(lambda: servers.part(name)["pid"] not in (pid, None), seconds=10)  # noqa: B023 - used at once
        eventually(lambda: servers.part(name)["state"] == "ready", seconds=10)  # noqa: B023 - used at once

    shown = servers("status")
    assert shown.returncode == 0
    line = next(line for line in shown.stdout.splitlines() if line.startswith("postgres"))
    assert line.split()[:4][3] == "1"
    assert "killed by SIGKILL" in line


def test_up_on_a_running_system_says_so_and_starts_what_is_missing(runner):
    runner.up("valkey")

    shown = runner.up("postgres,valkey")

    assert "already running" in shown
    assert runner.part("postgres")["state"] == "ready"


def test_restart_gives_a_part_a_new_process(runner):
    runner.up("valkey")
    before = runner.part("valkey")["pid"]

    done = runner("restart", "valkey")

    assert done.returncode == 0, done.stderr
    assert runner.part("valkey")["pid"] not in (before, None)


def test_down_leaves_no_process_behind_not_even_the_port_mapper(runner):
    runner.up("rabbitmq")
    assert runner.left()

    done = runner("down")

    assert done.returncode == 0
    assert runner.left() == []
    assert not is_held(runner.at)


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_start_works(runner):
    runner.up("postgres,valkey")

    os.kill(ask(runner.at, "status")["pid"], signal.SIGKILL)

    eventually(lambda: not runner.left(), seconds=5)
    runner.up("postgres,valkey")
    assert runner.part("postgres")["state"] == "ready"


def test_data_survives_a_restart_on_other_ports(runner):
    runner.up("mongo")
    url = runner.env()["MONGO_URL"]
    with MongoClient(url, serverSelectionTimeoutMS=5000) as client:
        client["logs"]["logs"].insert_one({"name": "kept"})
    runner("down")

    runner.up("mongo")

    moved = runner.env()["MONGO_URL"]
    assert moved != url
    with MongoClient(moved, serverSelectionTimeoutMS=5000) as client:
        assert client["logs"]["logs"].find_one()["name"] == "kept"


def test_a_part_that_cannot_start_is_explained_and_nothing_is_left_running(runner):
    runner.at.make_folders()
    (runner.at.data / "postgres").mkdir()
    (runner.at.data / "postgres" / "PG_VERSION").write_text("9\n")

    done = runner("up", "--only", "postgres,valkey")

    assert done.returncode == 1
    assert "the data was made by PostgreSQL 9" in done.stderr
    assert runner.left() == []


def test_a_taken_port_gives_one_line_with_port_part_and_variable(tmp_path):
    # the development instance is the one with fixed ports; its data lie elsewhere here
    runner = Runner(instance("dev", str(tmp_path)))
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.getsockname()[1]

        done = runner("up", "--only", "valkey", VALKEY_PORT=str(number))

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"port {number} (valkey) is taken by" in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert "make up VALKEY_PORT=" in done.stderr
    assert runner.left() == []


def test_a_moved_port_is_where_the_server_listens(tmp_path):
    runner = Runner(instance("dev", str(tmp_path)))
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.getsockname()[1]
    try:
        assert runner("up", "--only", "valkey", VALKEY_PORT=str(number)).returncode == 0
        assert runner.env()["VALKEY_URL"] == f"redis://127.0.0.1:{number}/0"
    finally:
        runner("down", "--now")


def test_logs_of_a_running_system_are_shown_with_the_name_of_their_part(servers):
    done = servers("logs", "--no-follow", "--only", "postgres")

    assert done.returncode == 0
    assert "postgres | " in done.stdout
    assert "ready to accept connections" in done.stdout


def test_the_state_folder_is_closed_to_other_users(servers):
    folders = [servers.at.run, Path(servers.at.plan_file), servers.at.run / "control.sock"]

    assert not [path for path in folders if path.stat().st_mode & 0o077]
