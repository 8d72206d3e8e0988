"""Exports, imports and the other commands of the log store against real servers, by the commands that people type."""

from __future__ import annotations

import gzip
import json
import secrets
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import requests
from bson import ObjectId
from pymongo import MongoClient

from tests.services import free_port
from tests.system import ROOT
from tests.waiting import eventually

COUNT = 2500


@pytest.fixture
def name():
    return f"transfer-{secrets.token_hex(6)}"


@pytest.fixture
def entries(log_documents, name):
    """Documents as the Go original writes them; gone at the end."""
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    log_documents.insert_many(
        [{"name": name, "data": f"text {n}", "created_at": moment, "updated_at": moment} for n in range(COUNT)]
    )
    yield list(log_documents.find({"name": name}, sort=[("_id", 1)]))
    log_documents.delete_many({"name": name})


@pytest.fixture
def logger(system):
    """Runs `python -m logger`."""

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return system.run([sys.executable, "-m", "logger", *arguments], **changes)

    return run


@pytest.fixture
def elsewhere(system, name):
    """The address of another database."""
    database = name.replace("-", "_")
    url = system.env["MONGO_ADMIN_URL"].replace("/?", f"/{database}?")
    yield url
    client: MongoClient = MongoClient(url, serverSelectionTimeoutMS=5000)
    client.drop_database(database)
    client.close()


@pytest.mark.parametrize("service", ["logger", "broker"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_export_over_http_is_whole_and_in_order(system, entries, name, service, encoding):
    url = system.url(service, f"/api/v1/logs/export?name={name}")

    reply = requests.get(url, headers={"Accept-Encoding": encoding}, timeout=60)

    assert reply.status_code == 200
    assert reply.headers.get("Content-Encoding", "identity") == encoding
    *lines, last = [json.loads(line) for line in reply.content.splitlines()]
    assert [line["id"] for line in lines] == [str(entry["_id"]) for entry in entries]
    assert last == {"export": {"entries": COUNT, "complete": True}}


def test_the_gateway_passes_a_refusal_on(system):
    reply = requests.get(system.url("broker", "/api/v1/logs/export?nam=x"), timeout=15)

    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "#/nam")


def test_clients_that_hang_up_leave_room_for_others(system, entries):
    url = system.url("broker", "/api/v1/logs/export")
    for _ in range(12):
        with requests.get(url, stream=True, timeout=15) as reply:
            next(reply.iter_content(100), None)

    eventually(lambda: requests.get(f"{url}?name=none", timeout=15).status_code == 200, seconds=45)


def test_what_was_exported_comes_into_another_store_as_it_was(logger, entries, name, elsewhere, tmp_path):
    path = tmp_path / "logs.ndjson.gz"
    done = logger("export", f"name:{name}", "--output", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert gzip.decompress(path.read_bytes()).count(b"\n") == COUNT + 1

    rehearsed = json.loads(logger("import", str(path), "--dry-run", "--json", MONGO_URL=elsewhere).stdout)
    brought = logger("import", str(path), MONGO_URL=elsewhere)
    again = json.loads(logger("import", str(path), "--json", MONGO_URL=elsewhere).stdout)

    assert (rehearsed["new"], rehearsed["dry_run"]) == (COUNT, True)
    assert (brought.returncode, brought.stderr) == (0, "")
    assert f"{COUNT:,}  new" in brought.stdout
    assert (again["new"], again["present"]) == (0, COUNT)
    exported = logger("export", MONGO_URL=elsewhere)
    assert exported.stdout == gzip.decompress(path.read_bytes()).decode()


def test_a_collection_of_a_go_system_comes_over_with_its_ids(logger, elsewhere, system, log_documents, name):
    client: MongoClient = MongoClient(elsewhere, tz_aware=True, serverSelectionTimeoutMS=5000)
    with client:
        zero = datetime(1, 1, 1, tzinfo=UTC)
        keys = [ObjectId() for _ in range(2100)]
        documents = [{"_id": key, "name": name, "data": "go", "created_at": zero} for key in keys]
        client.get_default_database()["golang"].insert_many(
            [*documents, {"_id": "text-id", "name": name, "data": "x", "created_at": zero}, {"name": name, "data": 7}]
        )
        arguments = ("import", "--from-mongo", elsewhere, "--collection", "golang", "--json")

        done = logger(*arguments)

    report = json.loads(done.stdout)
    assert (done.returncode, report["read"], report["new"], report["refused"]) == (1, 2102, 2101, 1)
    assert report["reasons"][0]["reason"] == "data: must be a string"
    stored = {each["_id"]: each for each in log_documents.find({"name": name})}
    assert set(keys) < set(stored)
    assert all(stored[key]["created_at"] == key.generation_time for key in keys)
    log_documents.delete_many({"name": name})


def test_a_killed_import_goes_on_and_counts_right(logger, system, elsewhere, tmp_path):
    path = tmp_path / "many.ndjson"
    lines = ({"id": f"{n:024x}", "name": "n", "data": "x", "created_at": "2026-11-01T00:00:00Z"} for n in range(30_000))
    path.write_text("\n".join(map(json.dumps, lines)))
    client: MongoClient = MongoClient(elsewhere, serverSelectionTimeoutMS=5000)
    with client:
        database = client.get_default_database()
        command = [sys.executable, "-m", "logger", "import", str(path)]
        killed = subprocess.Popen(command, cwd=ROOT, env=system.environment(MONGO_URL=elsewhere))
        eventually(database["log_imports"].find_one, seconds=30)
        killed.kill()
        killed.wait(timeout=15)
        checkpoint = database["log_imports"].find_one()
        assert checkpoint["read"] < 30_000

        report = json.loads(logger("import", str(path), "--json", MONGO_URL=elsewhere).stdout)

        assert database["logs"].count_documents({}) == report["read"] == report["new"] + report["present"] == 30_000
        # at most the batch that was under way
        assert report["present"] <= 1_000
        assert database["log_imports"].count_documents({}) == 0


def test_a_query_prints_lines_for_people_and_json_for_programs(logger, log_documents, name):
    fields = {
        "name": name,
        "level": "ERROR",
        "service": "shop",
        "created_at": datetime(2026, 11, 1, 2, 3, 4, tzinfo=UTC),
    }
    log_documents.insert_one({**fields, "data": "first\nsecond \x1b[31mred", "fields": {"user": 7}})

    plain = logger("query", f"name:{name}", "level:error", "--since", "2026-11-01", "--limit", "5")
    machine = logger("query", f"name:{name}", "--json")

    assert plain.returncode == machine.returncode == 0
    assert plain.stdout.splitlines() == [
        f'2026-11-01 02:03:04.000 ERROR    shop       {name} first {{"user":7}}',
        "    second  [31mred",
    ]
    assert json.loads(machine.stdout)["fields"] == {"user": 7}
    log_documents.delete_many({"name": name})


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["query", "name:nobody-writes-this"], 1, ""),
        (["query", "lvl:error"], 2, 'logger: position 0: unknown field "lvl"; did you mean "level"?\nlvl:error\n^\n'),
        (["query", "--since", "soon"], 2, "logger: since: must be a time"),
        (["query", "--limit", "0"], 2, "must be 1 or more"),
        (["import"], 2, "give a file, or --from-mongo"),
        (["import", "/nowhere/at/all"], 2, "No such file or directory"),
        (["import", "--from-mongo", "nonsense"], 2, "is no address"),
        (["export", "--output", "/nowhere/at/all"], 2, "No such file or directory"),
        (["retention", "DEBUG"], 2, "write a level and a time"),
        (["retention", "DEBUG=7 days"], 2, "levels.DEBUG: must be null, or a time"),
        (["retention", "--max-bytes", "1K"], 2, "max_bytes: must be null"),
        (["indexes"], 0, ""),
        (["export", "name:nobody-writes-this"], 1, "0 entries exported"),
    ],
)
def test_exit_codes_tell_scripts_what_happened_and_a_fault_is_one_clear_sentence(logger, arguments, code, told):
    done = logger(*arguments)

    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_is_away_is_exit_code_3_in_one_line(logger):
    nowhere = f"mongodb://127.0.0.1:{free_port()}/logs"
    for arguments in (["query"], ["export"], ["indexes"], ["retention"], ["import", "--from-mongo", nowhere]):
        done = logger(*arguments, MONGO_URL=nowhere)

        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert logger("tail", LOGGER_PORT=str(free_port())).returncode == 3


def test_retention_is_shown_and_changed_rule_by_rule(logger):
    try:
        logger("retention", "debug=7d", "--max-bytes", "20G")
        changed = json.loads(logger("retention", "INFO=2w", "--json").stdout)
        assert (changed["levels"]["DEBUG"], changed["levels"]["INFO"]) == ("7d", "14d")
        assert changed["max_bytes"] == 20 * 2**30
        assert "7d old" in logger("retention").stdout
    finally:
        back = logger("retention", "DEBUG=keep", "INFO=keep", "--max-bytes", "none", "--json")
    assert json.loads(back.stdout)["levels"]["DEBUG"] is None


def test_a_reader_that_has_seen_enough_is_no_error(system, entries):
    command = f"{sys.executable} -m logger export | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=system.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_the_tail_prints_what_is_stored_and_ends_after_so_many(system, name):
    command = [sys.executable, "-m", "logger", "tail", f"name:{name}", "--history", "0", "--limit", "3", "--json"]
    following = subprocess.Popen(command, cwd=ROOT, env=system.environment(), stdout=subprocess.PIPE, text=True)
    sent = 0

    def ended() -> bool:
        nonlocal sent
        system.post("logger", "/log", {"name": name, "data": str(sent)})
        sent += 1
        return following.poll() is not None

    eventually(ended, seconds=30, every=0.3)

    lines = [json.loads(line) for line in following.communicate(timeout=5)[0].splitlines()]
    first = int(lines[0]["data"])
    assert [int(line["data"]) for line in lines] == [first, first + 1, first + 2]
    assert following.returncode == 0
