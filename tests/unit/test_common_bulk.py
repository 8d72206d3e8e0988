"""Requests that carry one item or many, and answers that tell what became of each."""

from __future__ import annotations

import pytest
from flask import Flask, jsonify

from common.errors import InvalidError, Problem
from common.outcomes import Outcome
from common.web.access import Access, access
from common.web.app import create_flask
from common.web.bulk import bulk_reply, give_ids, idempotency_key, read_bulk
from common.web.reading import read_json_value

NDJSON = {"Content-Type": "application/x-ndjson"}
LIMIT = 2 * 1024 * 1024


@pytest.fixture
def results():
    """What the application answers with, one for each item; set by the test."""
    return []


@pytest.fixture
def client(results):
    app: Flask = create_flask("bulk", checks={})

    @app.post("/api/items")
    @access(Access.PUBLIC)
    def items():
        bulk = read_bulk(max_body=LIMIT, max_items=3)
        return bulk_reply(results[: len(bulk.items)], single=bulk.single)

    @app.post("/api/read")
    @access(Access.PUBLIC)
    def read():
        bulk = read_bulk(max_body=LIMIT, max_items=3)
        give_ids(bulk.items, idempotency_key())
        items = [item.message if isinstance(item, InvalidError) else item for item in bulk.items]
        return jsonify({"items": items, "single": bulk.single})

    @app.post("/api/other")
    @access(Access.PUBLIC)
    def other():
        return jsonify(len(read_json_value()))

    return app.test_client()


def read(client, data, **headers):
    return client.post("/api/read", data=data, headers=headers).json


def test_an_object_is_one_item_and_an_array_is_many(client):
    assert read(client, b' {"a":1}') == {"items": [{"a": 1}], "single": True}
    assert read(client, b'[{"a":1}]') == {"items": [{"a": 1}], "single": False}
    assert read(client, b'[1,null,"x"]') == {"items": [1, None, "x"], "single": False}


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/ndjson; charset=utf-8", "application/jsonl"])
def test_each_line_of_newline_delimited_json_is_an_item_and_blank_lines_are_none(client, kind):
    body = read(client, b'\n{"a":1}\r\n  \n[2]\n\n3', **{"Content-Type": kind})

    assert body == {"items": [{"a": 1}, [2], 3], "single": False}


def test_a_broken_line_is_one_faulty_item_and_the_others_are_read(client):
    body = read(client, b'{"a":1}\n{"a":2} {"a":3}\n{"a":4}', **NDJSON)

    assert body["items"] == [{"a": 1}, "line is not valid JSON", {"a": 4}]


@pytest.mark.parametrize(
    ("data", "headers", "status", "detail"),
    [
        (b"", {}, 400, "body must not be empty"),
        (b"\n \n", NDJSON, 400, "body must not be empty"),
        (b"{", {}, 400, "body is not valid JSON"),
        (b'{"a":1}\n{"a":2}', {}, 400, "body must have only a single JSON value"),
        (b"[]", {}, 422, "body is invalid"),
        (b'"text"', {}, 422, "body is invalid"),
        (b"[1,2,3,4]", {}, 413, "a request may carry 3 entries at most"),
        (b"1\n2\n3\n4", NDJSON, 413, "a request may carry 3 entries at most"),
        (b'["' + b"x" * LIMIT + b'"]', {}, 413, "body is larger than 2 MiB"),
        (b'"' + b"x" * LIMIT + b'"', NDJSON, 413, "body is larger than 2 MiB"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "Content-Encoding is not supported"),
        (b"{}", {**NDJSON, "Content-Encoding": "zstd"}, 415, "Content-Encoding is not supported"),
        (b"{}", {"Content-Type": "text/csv"}, 415, "Content-Type must be application/json or application/x-ndjson"),
    ],
)
def test_what_cannot_be_read_is_refused_as_a_whole(client, data, headers, status, detail):
    reply = client.post("/api/read", data=data, headers=headers)

    assert reply.status_code == status
    assert reply.content_type == "application/problem+json"
    assert reply.json["detail"].startswith(detail)


def test_a_larger_limit_for_many_items_leaves_every_other_route_as_it_was(client):
    data = b'["' + b"x" * (LIMIT - 4) + b'"]'

    assert client.post("/api/read", data=data).status_code == 200
    assert client.post("/api/other", data=data).status_code == 413
    assert client.post("/api/other", data=data).json["detail"] == "body is larger than 1 MiB"


@pytest.mark.parametrize(
    ("outcome", "status", "stored"),
    [("stored", 201, "mongodb"), ("duplicate", 201, "mongodb"), ("queued", 202, "queued"), ("spooled", 202, "spooled")],
)
def test_a_single_item_is_answered_with_its_place(client, results, outcome, status, stored):
    results.append(Outcome(outcome, "order:17"))

    reply = client.post("/api/items", data=b"{}")

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (status, stored)
    assert reply.json == {"id": "order:17", "outcome": outcome, "stored": stored}
    assert reply.headers["Location"] == "/api/items/order%3A17"


REFUSED = InvalidError("name: bad", problems=[Problem("#/name", "bad"), Problem("#", "worse")])


def test_a_single_refused_item_is_a_problem_with_its_own_pointers(client, results):
    results.append(REFUSED)

    reply = client.post("/api/items", data=b"{}")

    assert reply.status_code == 422
    assert reply.json["errors"] == [{"pointer": "#/name", "detail": "bad"}, {"pointer": "#", "detail": "worse"}]
    assert "X-Log-Stored" not in reply.headers


@pytest.mark.parametrize(
    ("outcomes", "status", "stored", "counts"),
    [
        (["stored", "stored"], 200, "mongodb", {"stored": 2}),
        (["duplicate", "stored"], 200, "mongodb", {"duplicate": 1, "stored": 1}),
        (["queued", "stored"], 202, "queued", {"queued": 1, "stored": 1}),
        (["queued", "spooled", "stored"], 202, "spooled", {"queued": 1, "spooled": 1, "stored": 1}),
    ],
)
def test_many_are_answered_one_by_one_and_with_the_weakest_place(client, results, outcomes, status, stored, counts):
    results.extend(Outcome(outcome, f"id-{index}") for index, outcome in enumerate(outcomes))

    reply = client.post("/api/items", json=[{}] * len(outcomes))

    assert (reply.status_code, reply.headers["X-Log-Stored"], reply.json["stored"]) == (status, stored, stored)
    assert reply.json["counts"] == counts
    assert reply.json["results"] == [{"outcome": name, "id": f"id-{index}"} for index, name in enumerate(outcomes)]


def test_a_refused_one_among_many_is_told_in_its_place(client, results):
    results.extend([Outcome("queued", "a"), REFUSED, InvalidError("no reason given")])

    reply = client.post("/api/items", json=[{}] * 3)

    assert (reply.status_code, reply.json["stored"]) == (207, "queued")
    assert reply.json["counts"] == {"queued": 1, "refused": 2}
    assert reply.json["results"][1] == {
        "outcome": "refused",
        "reason": "name: bad",
        "errors": [{"pointer": "#/1/name", "detail": "bad"}, {"pointer": "#/1", "detail": "worse"}],
    }
    assert reply.json["results"][2]["errors"] == [{"pointer": "#/2", "detail": "no reason given"}]


def test_many_that_are_all_refused_are_a_problem_that_points_at_each(client, results):
    results.extend([InvalidError("bad", problems=[Problem("#/name", "bad")])] * 2)

    reply = client.post("/api/items", json=[{}] * 2)

    assert reply.status_code == 422
    assert [problem["pointer"] for problem in reply.json["errors"]] == ["#/0/name", "#/1/name"]
    assert "X-Log-Stored" not in reply.headers


def test_a_key_gives_each_item_without_an_id_the_same_id_again(client):
    items = read(client, b'[{"a":1,"b":2},{"id":"own"},{"a":1,"b":2}]', **{"Idempotency-Key": "k"})["items"]
    again = read(client, b'{"b":2,"a":1}', **{"Idempotency-Key": '"k"'})["items"]

    ids = [item["id"] for item in items]
    assert ids[1] == "own"
    assert len(set(ids)) == 3
    assert again[0]["id"] == ids[0]


def test_another_key_or_another_content_gives_another_id(client):
    ids = {
        read(client, data, **{"Idempotency-Key": key})["items"][0]["id"]
        for data, key in ((b'{"a":1}', "k"), (b'{"a":2}', "k"), (b'{"a":1}', "l"))
    }

    assert len(ids) == 3


def test_without_a_key_nothing_gets_an_id_and_what_is_no_object_never_does(client):
    assert read(client, b'[{"a":1},5]')["items"] == [{"a": 1}, 5]
    assert read(client, b'[{"id":null},5]', **{"Idempotency-Key": "k"})["items"] == [{"id": None}, 5]


@pytest.mark.parametrize(
    "key", ["", '""', '"', '"open', '"a"b"', '"a","b"', '"\\x"', "k" * 256, "tab\tinside", "caf\xe9"]
)
def test_an_idempotency_key_that_is_none_is_refused(client, key):
    reply = client.post("/api/read", data=b"{}", headers={"Idempotency-Key": key})

    assert reply.status_code == 400
    assert reply.json["detail"] == "Idempotency-Key must be 1 to 255 printable ASCII characters"


@pytest.mark.parametrize("key", ["k", "k" * 255, '"' + "k" * 255 + '"', '"a \\"b\\" \\\\"', "8e03978e-40d5-43dd"])
def test_an_idempotency_key_may_be_quoted_or_bare(client, key):
    assert len(read(client, b"{}", **{"Idempotency-Key": key})["items"][0]["id"]) == 24
