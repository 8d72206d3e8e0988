"""POST /api/v1/logs on the gateway; the shapes of its answers are held by the log store's own tests."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from broker.app import create_app
from broker.domain import SPOOL, LogOrder, Receipt, Via
from broker.service import BrokerService
from broker.settings import BrokerSettings
from common.errors import InvalidError, TooManyError, UnavailableError
from protos.limits import MAX_ENTRIES

ENTRY = {"name": "event", "data": "text"}


class Deliverer:
    def __init__(self) -> None:
        self.calls: list[tuple[Via, list[LogOrder]]] = []
        self.results: list[Receipt | InvalidError] = []
        self.failure: Exception | None = None

    def deliver(self, orders: Sequence[LogOrder], via: Via) -> list[Receipt | InvalidError]:
        self.calls.append((via, list(orders)))
        if self.failure:
            raise self.failure
        return self.results or [Receipt("stored", "logged", via)] * len(orders)


@pytest.fixture
def deliverer():
    return Deliverer()


@pytest.fixture
def client(deliverer):
    service = BrokerService(auth=deliverer, mail=deliverer, delivery=deliverer, reader=deliverer)
    return create_app(BrokerSettings(), service=service).test_client()


def post(client, body: object, **more):
    return client.post("/api/v1/logs", data=orjson.dumps(body), content_type="application/json", **more)


def test_one_entry_is_created_at_a_place_where_it_can_be_read(client, deliverer):
    reply = post(client, ENTRY | {"id": "mine"})

    assert (reply.status_code, reply.headers["Location"]) == (201, "/api/v1/logs/mine")
    assert reply.json == {"id": "mine", "outcome": "stored", "stored": "mongodb"}
    assert reply.headers["X-Log-Stored"] == "mongodb"


def test_many_entries_are_one_delivery_by_grpc_unless_told_otherwise(client, deliverer):
    post(client, [ENTRY, ENTRY])
    post(client, [ENTRY], query_string={"via": "AMQP"})

    assert [(via, len(orders)) for via, orders in deliverer.calls] == [(Via.GRPC, 2), (Via.AMQP, 1)]


def test_invalid_entries_are_refused_one_by_one_and_reach_nothing(client, deliverer):
    body = b'{"name":"a","data":"1"}\n{"name":"","data":"2"}\nbroken\n\n{"name":"d","data":"4","level":"LOUD"}\n'

    reply = client.post("/api/v1/logs", data=body, content_type="application/x-ndjson")

    assert reply.status_code == 207
    assert reply.json["counts"] == {"stored": 1, "refused": 3}
    assert [result["outcome"] for result in reply.json["results"]] == ["stored", "refused", "refused", "refused"]
    assert reply.json["results"][3]["errors"][0]["pointer"] == "#/3/level"
    assert [order.name for order in deliverer.calls[0][1]] == ["a"]


def test_when_nothing_is_valid_nobody_is_asked(client, deliverer):
    reply = post(client, [{"name": "a"}, 7])

    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json["errors"]] == ["#/0/data", "#/1"]
    assert deliverer.calls == []


def test_the_weakest_place_is_the_answer_for_all(client, deliverer):
    deliverer.results = [
        Receipt("duplicate", "", Via.GRPC),
        Receipt("queued", "", Via.AMQP),
        InvalidError("no"),
        Receipt("spooled", "", SPOOL),
    ]
    reply = post(client, [ENTRY] * 4)

    assert (reply.status_code, reply.json["stored"], reply.headers["X-Log-Stored"]) == (207, "spooled", "spooled")
    assert reply.json["counts"] == {"duplicate": 1, "queued": 1, "refused": 1, "spooled": 1}


def test_what_is_on_its_way_is_accepted_and_not_created(client, deliverer):
    deliverer.results = [Receipt("queued", "", Via.AMQP)]

    single, many = post(client, ENTRY), post(client, [ENTRY])

    assert (single.status_code, single.json["stored"]) == (202, "queued")
    assert (many.status_code, many.json["stored"]) == (202, "queued")


def test_a_retry_under_one_key_names_the_same_records_in_whatever_form_it_comes(client, deliverer):
    lines = b"\n".join([orjson.dumps(ENTRY)] * 2)
    headers = {"Idempotency-Key": "batch-1"}
    post(client, [ENTRY, ENTRY], headers=headers)
    client.post("/api/v1/logs", data=lines, content_type="application/x-ndjson", headers=headers)

    (_, first), (_, second) = deliverer.calls
    assert [order.id for order in first] == [order.id for order in second]
    assert first[0].id != first[1].id


@pytest.mark.parametrize(
    ("failure", "status", "wait"), [(TooManyError("full"), 429, "1"), (UnavailableError("no", retry_after=5), 503, "5")]
)
def test_when_nothing_was_taken_the_writer_is_told_to_come_back(client, deliverer, failure, status, wait):
    deliverer.failure = failure

    reply = post(client, [ENTRY])

    assert (reply.status_code, reply.headers["Retry-After"]) == (status, wait)
    assert reply.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status"),
    [([], 422), (5, 422), ([ENTRY] * (MAX_ENTRIES + 1), 413), ([ENTRY | {"data": "x" * 4 * 1024 * 1024}], 413)],
)
def test_too_little_and_too_much_are_refused_as_a_whole(client, deliverer, body, status):
    assert post(client, body).status_code == status
    assert deliverer.calls == []


def test_an_entry_that_no_message_could_carry_is_refused_alone(client):
    reply = post(client, [ENTRY, ENTRY | {"data": "x" * 1024 * 1024}])

    assert reply.status_code == 207
    assert reply.json["results"][1]["reason"].startswith("log entry is larger than")


def test_an_unknown_protocol_is_refused(client):
    assert post(client, ENTRY, query_string={"via": "pigeon"}).status_code == 501


def test_a_page_from_elsewhere_may_send_a_key_and_read_where_its_entry_is(client):
    origin = {"Origin": "http://localhost:8082"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}

    assert (
        "idempotency-key"
        in client.options("/api/v1/logs", headers=origin | asked).headers["Access-Control-Allow-Headers"].lower()
    )
    assert "X-Log-Stored" in post(client, ENTRY, headers=origin).headers["Access-Control-Expose-Headers"]
