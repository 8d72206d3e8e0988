"""Reading through the gateway what was written through it: pages, filters, counts, traces, and what is refused."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import requests

from protos import logs_pb2, logs_pb2_grpc
from tests.waiting import eventually

COUNT = 300
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
# So that other tests' entries cost no time.
RANGE = {"since": "2026-03-01T11:50:00Z", "until": "2026-03-01T12:10:00Z"}


@pytest.fixture(scope="module")
def name() -> str:
    return f"search-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def trace_id() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def written(system, name, trace_id) -> list[dict]:
    """In order of time, three of each millisecond."""
    entries = [
        {
            "name": name,
            "data": f"entry {number} of many, {'disk full' if number % 10 == 0 else 'fine'} Größe-{number}",
            "id": f"{name}-{number:03}",
            "level": ("debug", "info", "warning", "error", "critical")[number % 5],
            "service": f"{name}-{number % 3}",
            "timestamp": (START + timedelta(milliseconds=number // 3)).isoformat(),
            "request_id": f"{name}-r{number % 7}",
            "trace_id": trace_id if number < 20 else "0" * 31 + "1",
            "span_id": f"{number + 1:016x}",
            "fields": {"number": number, "user": {"id": str(number % 4)}, "tags": ["a", number % 2 == 0]},
        }
        for number in range(COUNT)
    ]
    reply = system.post("broker", "/api/v1/logs?via=grpc", entries)
    assert reply.json()["counts"] == {"stored": COUNT}
    return entries


def ask(system, path: str, **params) -> requests.Response:
    return requests.get(system.url("broker", path), params=params, timeout=15)


def found(system, **params) -> list[int]:
    """The numbers of all entries, in order, however often the time for one question is over first on a slow machine."""
    numbers, params = [], params if "since" in params else RANGE | params
    while True:
        reply = ask(system, "/api/v1/logs", limit=1000, **params)
        assert reply.status_code == 200, reply.text
        numbers += [item["fields"]["number"] for item in reply.json()["items"]]
        params["cursor"] = reply.json()["next_cursor"]
        if params["cursor"] is None:
            return numbers


def counted(system, path: str, **params) -> dict:
    """The answer of a question that counts, as soon as it is a whole one."""

    def whole() -> dict | None:
        reply = ask(system, path, **(params if "since" in params else RANGE | params))
        assert reply.status_code == 200, reply.text
        return reply.json() if reply.json()["complete"] else None

    return eventually(whole)


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_have_no_gap_and_no_duplicate_while_others_write(system, written, name, order):
    stop, other = threading.Event(), f"{name}-{order}"

    def write() -> None:
        number = 0
        while not stop.is_set():
            moment = START + timedelta(milliseconds=(number * 37) % (COUNT // 3))
            system.post("broker", "/api/v1/logs", {"name": other, "data": "meanwhile", "timestamp": moment.isoformat()})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen, url = (
            [],
            system.url(
                "broker",
                f"/api/v1/logs?q=service:{name}-0,{name}-1,{name}-2&order={order}&limit=7&since=2026-03-01&until=2026-03-02",
            ),
        )
        while url:
            page = requests.get(url, timeout=15)
            seen += [item["id"] for item in page.json()["items"]]
            following = page.links.get("next", {}).get("url")
            assert bool(following) == bool(page.json()["next_cursor"])
            url = following and system.url("broker", following)
    finally:
        stop.set()
        writer.join()

    assert len(seen) == COUNT
    assert set(seen) == {entry["id"] for entry in written}
    moments = {entry["id"]: entry["timestamp"] for entry in written}
    in_order = [moments[each] for each in seen]
    assert in_order == sorted(in_order, reverse=order == "newest")


@pytest.mark.parametrize(
    ("params", "holds"),
    [
        ({"q": "level:warning"}, lambda n: n % 5 >= 2),
        ({"q": "level=warning"}, lambda n: n % 5 == 2),
        ({"q": '"disk full"'}, lambda n: n % 10 == 0),
        ({"q": '-"disk full" GRÖßE-7'}, lambda n: n == 7),
        ({"q": "fields.user.id:3 -fields.tags:true"}, lambda n: n % 4 == 3 and n % 2 == 1),
        ({"level": "error"}, lambda n: n % 5 >= 3),
        ({"level_is": ["error", "debug"]}, lambda n: n % 5 in (0, 3)),
        ({"service": ["{name}-1", "{name}-2"]}, lambda n: n % 3 != 0),
        ({"protocol": "grpc"}, lambda _: True),
        ({"protocol": "rpc"}, lambda _: False),
        ({"request_id": "{name}-r3"}, lambda n: n % 7 == 3),
        ({"trace_id": "{trace}"}, lambda n: n < 20),
        ({"span_id": "000000000000000b"}, lambda n: n == 10),
        ({"id": ["{name}-007", "{name}-008"]}, lambda n: n in (7, 8)),
        ({"words": "ENTRY 12"}, lambda n: n == 12),
        ({"fields.number": "12"}, lambda n: n == 12),
        ({"fields.user.id": "1", "level": "critical"}, lambda n: n % 4 == 1 and n % 5 == 4),
        ({"since": "2026-03-01T12:00:00.090Z"}, lambda n: n >= 270),
        ({"until": "2026-03-01T12:00:00.001Z"}, lambda n: n < 3),
        ({"since": "1m"}, lambda _: False),
    ],
    ids=str,
)
def test_each_filter_finds_its_entries_and_no_others(system, written, name, trace_id, params, holds):
    def filled(value: str) -> str:
        return value.format(name=name, trace=trace_id) if "{" in value else value

    params = {
        key: [filled(each) for each in value] if isinstance(value, list) else filled(value)
        for key, value in params.items()
    }

    numbers = found(system, name=name, order="oldest", **params)

    assert sorted(numbers) == [number for number in range(COUNT) if holds(number)]
    assert counted(system, "/api/v1/logs/count", name=name, **params)["count"] == len(numbers)


def test_a_json_body_asks_the_same_and_types_count(system, written, name):
    def query(**body) -> list[int]:
        reply = system.post("broker", "/api/v1/logs/query", {"name": name, "limit": 1000, "order": "oldest", **body})
        assert reply.status_code == 200, reply.text
        return sorted(item["fields"]["number"] for item in reply.json()["items"])

    assert query(fields={"number": [5, 6]}) == [5, 6]
    assert query(fields={"number": "5"}) == []
    assert query(fields={"user.id": 3}) == []
    assert query(fields={"tags": True}, until="2026-03-01T12:00:00.002Z") == [0, 2, 4]
    assert query(until="2026-03-01T12:00:00.002Z", **{"not": {"level_is": ["DEBUG", "INFO"]}}) == [2, 3, 4]


def test_an_entry_in_a_page_is_the_one_that_its_id_gives(system, written, name):
    (item,) = ask(system, "/api/v1/logs", id=f"{name}-042").json()["items"]

    assert item == ask(system, f"/api/v1/logs/{name}-042").json()
    assert item["created_at"] == "2026-03-01T12:00:00.014Z"
    assert ask(system, "/api/v1/logs", id=f"{name}-042", select="name,id").json()["items"] == [
        {"id": f"{name}-042", "name": name}
    ]


def test_a_histogram_and_facets_add_up_to_the_count(system, written, name):
    bars = counted(system, "/api/v1/logs/histogram", name=name, bucket="5m")
    facets = counted(system, "/api/v1/logs/facets", name=name)["facets"]

    assert [bar["count"] for bar in bars["buckets"]] == [0, 0, COUNT, 0]
    assert bars["buckets"][2]["levels"] == dict.fromkeys(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], COUNT // 5)
    assert facets["name"] == [{"value": name, "count": COUNT}]
    assert {each["value"]: each["count"] for each in facets["service"]} == {f"{name}-{n}": COUNT // 3 for n in range(3)}
    assert ask(system, "/api/v1/logs/histogram", since="0001-01-01").status_code == 200


def test_a_trace_is_read_from_its_first_entry_on(system, written, trace_id):
    reply = ask(system, f"/api/v1/traces/{trace_id}")

    assert reply.json()["complete"] is True
    numbers = [item["fields"]["number"] for item in reply.json()["items"]]
    assert sorted(numbers) == list(range(20))
    assert [number // 3 for number in numbers] == sorted(number // 3 for number in numbers)


@pytest.mark.parametrize(
    ("path", "status", "pointer"),
    [
        ("/api/v1/logs?limit=0", 422, "#/limit"),
        ("/api/v1/logs?limti=5", 422, "#/limti"),
        ("/api/v1/logs?order=up", 422, "#/order"),
        ("/api/v1/logs?cursor=abc", 400, "#/cursor"),
        ("/api/v1/logs?q=lvl:error", 422, "#/q"),
        ("/api/v1/logs?name[$ne]=x", 422, "#/name[$ne]"),
        ("/api/v1/logs?fields.$where=1", 422, "#/fields.$where"),
        ("/api/v1/logs?fields.a%00=1", 422, "#/fields.a\x00"),
        ("/api/v1/logs?name=a%00", 422, "#/name"),
        ("/api/v1/logs/count?limit=5", 422, "#/limit"),
        ("/api/v1/logs/histogram?bucket=1s", 422, "#/bucket"),
        ("/api/v1/logs/facets?fields=data", 422, "#/fields"),
        ("/api/v1/traces/xyz", 422, "#/trace_id"),
    ],
)
def test_a_refusal_comes_through_the_gateway_as_it_was_written(system, path, status, pointer):
    through, direct = (requests.get(system.url(part, path), timeout=15) for part in ("broker", "logger"))

    assert (through.status_code, through.headers["Content-Type"]) == (status, "application/problem+json")
    assert [each["pointer"] for each in through.json()["errors"]] == [pointer]
    unlike = {"request_id", "trace_id"}
    assert {key: value for key, value in through.json().items() if key not in unlike} == {
        key: value for key, value in direct.json().items() if key not in unlike
    }


@pytest.mark.parametrize(
    "body",
    [
        {"name": {"$ne": ""}},
        {"name": {"$regex": ".*"}},
        {"id": [{"$gt": ""}]},
        {"$where": "while(true){}"},
        {"$or": [{}]},
        {"fields": {"number": {"$gte": 0}}},
        {"fields": {"number.$gt": 0}},
        {"fields": {"$expr": True}},
        {"not": {"name": {"$exists": True}}},
        {"since": {"$gt": 0}},
        {"cursor": {"$gt": ""}},
        {"limit": {"$gt": 0}},
        [],
    ],
    ids=str,
)
def test_operators_smuggled_in_json_are_refused_and_nothing_of_the_database_is_told(system, body):
    reply = system.post("broker", "/api/v1/logs/query", body)

    assert reply.status_code == 422
    assert reply.json()["errors"]
    assert "mongo" not in reply.text.lower()
    assert "Traceback" not in reply.text


def test_values_that_look_like_patterns_are_only_text(system, written, name):
    for text in (".*", "entry [0-9]+", "(a+)+$" * 50, "$ne", "^entry"):
        assert counted(system, "/api/v1/logs/count", name=name, words=text)["count"] == 0


def test_who_writes_now_finds_it_with_the_next_question(system, name):
    latest = f"{name}-now"
    system.post("broker", "/api/v1/logs", {"name": latest, "data": "just written"})

    assert [item["data"] for item in ask(system, "/api/v1/logs", name=latest, since="1m").json()["items"]] == [
        "just written"
    ]
    bars = ask(system, "/api/v1/logs/histogram", name=latest, since="2m", bucket="10m").json()["buckets"]
    assert sum(bar["count"] for bar in bars) == 1


def test_a_browser_may_read_the_way_to_the_next_page(system, written):
    origin = {"Origin": system.env["CORS_ORIGINS"].split(",")[0]}

    reply = requests.get(system.url("broker", "/api/v1/logs?limit=1"), headers=origin, timeout=15)

    assert reply.headers["Link"].endswith('; rel="next"')
    assert "Link" in reply.headers["Access-Control-Expose-Headers"]


def test_the_same_pages_come_over_grpc_and_cursors_are_good_at_both_doors(system, written, name):
    with grpc.insecure_channel(system.env["LOGGER_GRPC_ADDRESS"]) as channel:
        stub = logs_pb2_grpc.LogServiceStub(channel)
        request = logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(name=[name], level="error", **RANGE), limit=100)
        page = stub.Query(request, timeout=10)
        count = stub.Count(logs_pb2.CountRequest(filter=request.filter), timeout=10)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Query(logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(q="lvl:x")), timeout=10)

    rest = found(system, name=name, level="error", cursor=page.next_cursor)
    assert count.count == COUNT * 2 // 5
    assert len(page.entries) == 100
    assert len({each.id for each in page.entries} | {f"{name}-{number:03}" for number in rest}) == COUNT * 2 // 5
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert 'did you mean "level"' in refused.value.details()


def test_without_its_log_store_the_gateway_says_so_and_answers_again_afterwards(system, written, name):
    system.stop("logger")
    try:
        reply = ask(system, "/api/v1/logs", name=name)
        assert reply.status_code == 503
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.headers["Retry-After"]
    finally:
        system.start("logger")

    eventually(lambda: ask(system, "/api/v1/logs", name=name, limit=1).status_code == 200)
