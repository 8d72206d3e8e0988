"""Events on the running system: none acknowledged is lost, whatever stops in between."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Iterator

import amqp
import pytest
import requests
from bson import ObjectId

from common.ids import object_id_hex
from tests.outages import stopped
from tests.services import free_port
from tests.system import System
from tests.waiting import eventually
from tests.worker.process import worker
from tests.worker.rabbit import Rabbit, connected, events


@pytest.fixture
def rabbit(system: System) -> Iterator[Rabbit]:
    system.wait_ready("worker")
    with connected(system.env["RABBIT_URL"]) as opened:
        yield opened


@pytest.fixture
def stored(log_documents):
    """How many of these ids are in the database."""

    def count(ids) -> int:
        return log_documents.count_documents({"_id": {"$in": [ObjectId(object_id_hex(each)) for each in ids]}})

    return count


def dead_letter_of(rabbit: Rabbit, body: bytes):
    """Takes dead letters until the one with this body comes."""
    letter = eventually(lambda: rabbit.take("logs.dlq"), seconds=10)
    while letter.body != body:
        letter = eventually(lambda: rabbit.take("logs.dlq"), seconds=10)
    return letter


def test_an_event_of_a_go_publisher_is_stored_with_its_level(rabbit, log_documents):
    data = secrets.token_hex(8)

    rabbit.publish(
        json.dumps({"name": "auth", "data": data}, indent="\t").encode(), key="log.WARNING", content_type="text/plain"
    )

    document = eventually(lambda: log_documents.find_one({"data": data}))
    assert (document["name"], document["level"], document["protocol"]) == ("auth", "WARNING", "amqp")


def test_the_request_that_caused_an_event_is_found_in_its_entry(rabbit, log_documents):
    data, trace = secrets.token_hex(8), secrets.token_hex(16)
    headers = {"X-Request-Id": f"request-{data}", "traceparent": f"00-{trace}-{'1' * 16}-01"}

    rabbit.publish(json.dumps({"name": "event", "data": data}).encode(), headers=headers, app_id="shop")

    document = eventually(lambda: log_documents.find_one({"data": data}))
    assert (document["request_id"], document["trace_id"]) == (f"request-{data}", trace)
    assert document["service"] == "shop"


def test_structured_fields_and_the_span_of_an_event_are_found_in_its_entry(rabbit, log_documents):
    data, span = secrets.token_hex(8), secrets.token_hex(8)
    fields = {"order": 2**53 + 1, "price": 1.5, "tags": ["a", {"deep": None}]}

    rabbit.publish(json.dumps({"name": "event", "data": data, "span_id": span, "fields": fields}).encode())

    document = eventually(lambda: log_documents.find_one({"data": data}))
    assert (document["span_id"], document["fields"]) == (span, fields)


def test_the_same_event_sent_many_times_is_one_record(rabbit, log_documents):
    ids, (body,) = events(1)

    rabbit.publish(*[body] * 100)

    eventually(lambda: rabbit.waiting("logs.store") == 0)
    eventually(lambda: log_documents.find_one({"data": f"data of {ids[0]}"}))
    assert log_documents.count_documents({"data": f"data of {ids[0]}"}) == 1


def test_an_event_published_while_the_worker_is_down_is_stored_when_it_comes_up(system, rabbit, stored):
    ids, bodies = events(20)
    system.stop("worker")

    rabbit.publish(*bodies)
    waited = eventually(lambda: rabbit.waiting("logs.store") == 20)
    system.start("worker")

    assert waited
    eventually(lambda: stored(ids) == 20)


def test_two_workers_share_the_events_and_store_each_once(system, rabbit, log_documents, tmp_path):
    run = secrets.token_hex(8)
    environment = system.environment(WORKER_PORT=str(free_port()), LOG_LEVEL="DEBUG")
    with worker(environment, tmp_path / "second.log") as second:
        second.wait_ready()
        assert rabbit.consumers("logs.store") == 2

        # Without ids, as a Go publisher sends them: a second copy would be a second record.
        rabbit.publish(*[json.dumps({"name": "shared", "data": f"{run} {n}"}).encode() for n in range(3000)])

        eventually(lambda: log_documents.count_documents({"data": {"$regex": f"^{run} "}}) == 3000, seconds=30)
        eventually(lambda: rabbit.waiting("logs.store") == 0)
        assert second.stop() == 0
    assert "batch_stored" in second.log()
    assert log_documents.count_documents({"data": {"$regex": f"^{run} "}}) == 3000


def test_events_survive_the_sudden_death_of_the_worker_in_the_middle_of_them(system, rabbit, stored):
    ids, bodies = events(5000)
    rabbit.publish(*bodies[:3000])

    system.kill("worker")
    rabbit.publish(*bodies[3000:])

    eventually(lambda: stored(ids) == 5000, seconds=30)
    system.wait_ready("worker")


def test_nothing_is_lost_while_the_logger_is_down(system, rabbit, stored):
    ids, bodies = events(3000)
    with stopped(system, "logger"):
        rabbit.publish(*bodies)
        readiness = requests.get(system.url("worker", "/readyz"), timeout=5)
        assert (readiness.status_code, readiness.json()["degraded"]) == (200, True)

    eventually(lambda: stored(ids) == 3000, seconds=30)
    eventually(lambda: rabbit.waiting("logs.store") == 0)


def test_the_listener_comes_back_by_itself_after_a_restart_of_rabbitmq(system, rabbit, stored):
    pid = system.part("worker")["pid"]
    system.stop("rabbitmq")
    system.start("rabbitmq")

    with connected(system.env["RABBIT_URL"]) as again:
        ids, bodies = events(10)
        again.publish(*bodies)

    eventually(lambda: stored(ids) == 10, seconds=20)
    assert system.part("worker")["pid"] == pid
    system.wait_ready("worker")


def test_a_paused_rabbitmq_does_not_end_the_worker(system, rabbit, stored):
    before = system.part("worker")["pid"]
    broker = system.part("rabbitmq")["pid"]
    os.killpg(os.getpgid(broker), signal.SIGSTOP)
    try:
        assert requests.get(system.url("worker", "/livez"), timeout=5).status_code == 200
    finally:
        os.killpg(os.getpgid(broker), signal.SIGCONT)

    ids, bodies = events(5)
    rabbit.publish(*bodies)
    eventually(lambda: stored(ids) == 5, seconds=20)
    assert system.part("worker")["pid"] == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "body is not valid JSON"),
        (b'{"name": 1, "data": "x"}', "name must be a string"),
        (json.dumps({"name": "event", "data": "d" * (1024 * 1024 + 1)}).encode(), "body is larger than 1 MiB"),
        (b'{"name": "event", "data": "x", "level": "INFO", "id": "a b"}', "id must be 1 to 128 letters"),
        (b'{"name": "event", "data": "x", "fields": {"$set": 1}}', "fields must not have keys that start with $"),
    ],
)
def test_poison_is_kept_as_it_came_with_its_reason(rabbit, body, reason):
    headers = {"X-Request-Id": "r-1", "list": [1, {"a": True}]}

    rabbit.publish(body, key="log.ERROR", headers=headers, content_type="text/plain", type="go", correlation_id="c")

    letter = dead_letter_of(rabbit, body)
    assert letter.delivery_info["routing_key"] == "log.ERROR"
    assert letter.headers["x-reason"].startswith(reason)
    assert (letter.headers["x-origin-queue"], letter.headers["X-Request-Id"]) == ("logs.store", "r-1")
    assert letter.headers["list"] == [1, {"a": True}]
    assert (letter.properties["content_type"], letter.properties["type"]) == ("text/plain", "go")
    assert letter.properties["correlation_id"] == "c"
    eventually(lambda: rabbit.waiting("logs.store") == 0)


def test_a_compression_header_is_only_a_header(rabbit, log_documents):
    data = secrets.token_hex(8)

    rabbit.publish(json.dumps({"name": "event", "data": data}).encode(), headers={"compression": "application/x-gzip"})

    eventually(lambda: log_documents.find_one({"data": data}))


class Undecodable(str):
    """A routing key that py-amqp writes as bytes which are not UTF-8."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"log.\xff"


def test_a_routing_key_that_is_not_text_goes_to_the_dead_letters_and_ends_no_worker(system, rabbit, stored):
    before = system.part("worker")["pid"]
    body = json.dumps({"name": "event", "data": secrets.token_hex(8)}).encode()

    rabbit.publish(body, key=Undecodable("log.x"))

    eventually(lambda: rabbit.waiting("logs.dlq") == 1)
    rabbit.purge("logs.dlq")
    ids, bodies = events(5)
    rabbit.publish(*bodies)
    eventually(lambda: stored(ids) == 5)
    assert system.part("worker")["pid"] == before


def test_headers_that_cannot_be_read_go_to_the_dead_letters_and_end_no_worker(system, rabbit, stored, monkeypatch):
    before = system.part("worker")["pid"]
    body = json.dumps({"name": "event", "data": secrets.token_hex(8)}).encode()
    beyond_the_year_9999 = b"\x20\x00" + b"\x00\x00\x00\x0c" + b"\x02at" + b"T" + b"\xff" * 8
    monkeypatch.setattr(amqp.Message, "_serialize_properties", lambda _message: beyond_the_year_9999)
    rabbit.publish(body)
    monkeypatch.undo()

    eventually(lambda: rabbit.waiting("logs.dlq") == 1)
    rabbit.purge("logs.dlq")
    ids, bodies = events(5)
    rabbit.publish(*bodies)
    eventually(lambda: stored(ids) == 5)
    assert system.part("worker")["pid"] == before


def test_a_second_worker_on_the_same_port_says_which_variable_moves_it(system, rabbit, tmp_path):
    with worker(system.environment(), tmp_path / "clash.log") as clash:
        assert clash.process.wait(timeout=20) == 1

    line = next(line for line in clash.log().splitlines() if "port_taken" in line)
    assert json.loads(line)["variable"] == "WORKER_PORT"
    assert json.loads(line)["port"] == int(system.env["WORKER_PORT"])
    assert "Traceback" not in clash.log()
