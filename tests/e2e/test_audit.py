"""The audit trail through the whole system: in by every door, sealed by the keeper, and found again by an operator."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys

import pytest
import requests

from common.ids import object_id_hex
from tests.system import ROOT
from tests.waiting import eventually

VIAS = ("http", "rpc", "grpc", "amqp")


def verify(system, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "logger", "verify", *options],
        cwd=ROOT,
        env=os.environ | {"MONGO_URL": system.env["MONGO_URL"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def chain(log_documents):
    return log_documents.database["audit_chain"]


@pytest.fixture(scope="module")
def written(system, chain) -> list[str]:
    """Ids of entries that came by each door and have their links."""
    name = f"audit-{secrets.token_hex(4)}"
    for via in VIAS:
        entry = {"name": name, "data": f"role granted, {via}", "id": f"{name}-{via}", "category": "audit", "via": via}
        reply = requests.post(system.url("broker", "/handle"), json={"action": "log", "log": entry}, timeout=15)
        assert reply.status_code == 202
    ids = [f"{name}-{via}" for via in VIAS]
    keys = {object_id_hex(each) for each in ids}
    eventually(lambda: keys <= {str(each["entry"]) for each in chain.find()}, seconds=40)
    return ids


def test_an_audit_entry_is_sealed_whatever_door_it_came_by_and_found_by_its_category(system, written):
    asked = {"q": "category:audit -name:authentication", "id": written, "limit": "100"}

    found = requests.get(system.url("broker", "/api/v1/logs"), params=asked, timeout=15).json()["items"]

    assert {(each["id"], each["category"], each["protocol"]) for each in found} == {
        (each, "audit", via) for each, via in zip(written, VIAS, strict=True)
    }


def test_the_gateway_tells_the_hash_of_each_day_and_verify_takes_it_as_an_anchor(system, chain, written):
    assert written
    (head, *_) = requests.get(system.url("broker", "/api/v1/audit/heads"), timeout=15).json()["items"]
    assert chain.find_one({"_id": f"{head['day']}/{head['count']:09d}"})["hash"] == head["hash"]

    done = verify(system, "--anchor", head["hash"], "--json")

    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["fault"]) == (0, True, None)
    assert head["day"] in {each["day"] for each in told["days"]}
    assert verify(system, "--anchor", "1" * 64).returncode == 1
    assert verify(system, "--day", head["day"]).returncode == 0


def test_verify_names_the_entry_that_was_changed(system, chain, log_documents, written):
    record = log_documents.find_one({"event_id": written[0]})
    link = chain.find_one({"entry": record["_id"]})
    log_documents.update_one({"_id": record["_id"]}, {"$set": {"data": "nothing happened"}})
    try:
        done = verify(system)
    finally:
        log_documents.update_one({"_id": record["_id"]}, {"$set": {"data": record["data"]}})

    assert done.returncode == 1
    assert f"broken at link {link['_id']}, entry {record['_id']}: the entry is not what was sealed" in done.stdout
    assert verify(system).returncode == 0


@pytest.mark.parametrize("options", [["--day", "yesterday"], ["--day", "2026-02-30"], ["--anchor", "abc"]])
def test_a_wrong_command_line_is_refused_before_anything_is_asked(system, options):
    done = verify(system, *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"argument {options[0]}: must be" in done.stderr


@pytest.mark.parametrize(
    ("query", "pointer"), [({"limit": "0"}, "#/limit"), ({"before": "2026-13-01"}, "#/before"), ({"day": "x"}, "#/day")]
)
def test_a_wrong_question_for_heads_is_refused_with_a_pointer(system, query, pointer):
    reply = requests.get(system.url("broker", "/api/v1/audit/heads"), params=query, timeout=15)

    assert (reply.status_code, [each["pointer"] for each in reply.json()["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("via", VIAS)
def test_another_category_is_refused(system, via):
    entry = {"name": "event", "data": "text", "category": "secret", "via": via}

    reply = requests.post(system.url("broker", "/handle"), json={"action": "log", "log": entry}, timeout=15)

    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "#/log/category")


@pytest.mark.parametrize("path", ["/api/v1/logs", "/api/v1/logs/{id}", "/api/v1/audit/heads"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("service", ["broker", "logger"])
def test_no_way_in_changes_or_deletes_an_entry(system, written, service, method, path):
    reply = requests.request(method, system.url(service, path.format(id=written[0])), json={"data": "x"}, timeout=15)

    assert reply.status_code == 405
