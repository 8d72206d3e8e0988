"""Query and Count over a real channel, with the store in memory."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from common.clock import FixedClock
from common.errors import UnavailableError
from common.rpc.grpc_server import ServerOptions, build_server
from logger.domain import LogEntry
from logger.grpc_servicer import SERVICE_NAME
from logger.memory.store import MemoryLogStore
from logger.writer import LogWriter
from protos import logs_pb2, logs_pb2_grpc
from tests.grpc_door import servicer_for
from tests.services import free_port
from tests.waiting import eventually

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
THREADS = 2


class Store(MemoryLogStore):
    failure: Exception | None = None

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[object] = []

    def page(self, question):
        self.asked.append(question)
        assert self.gate.wait(10)
        if self.failure:
            raise self.failure
        return super().page(question)


def entry(number: int) -> LogEntry:
    moment = NOW - timedelta(seconds=100 - number)
    level = "ERROR" if number % 2 else "INFO"
    fields = {"big": 2**60 + number, "user": {"id": number}}
    return LogEntry(
        f"id-{number}", "event", f"text {number}", level, "shop", "http", "r", "", moment, moment, "", fields
    )


@pytest.fixture
def store():
    store = Store()
    store.insert([entry(number) for number in range(10)])
    return store


@pytest.fixture
def channel(store):
    clock, address = FixedClock(NOW), f"127.0.0.1:{free_port()}"
    servicer = servicer_for(store, LogWriter(store), streams=1, questions=THREADS, clock=clock)
    server = build_server(
        address,
        register=lambda server: logs_pb2_grpc.add_LogServiceServicer_to_server(servicer, server),
        services=[SERVICE_NAME],
        options=ServerOptions(threads=8, grace=2),
    )
    server.start()
    with grpc.insecure_channel(address) as channel:
        yield channel
    server.stop()


@pytest.fixture
def stub(channel):
    return logs_pb2_grpc.LogServiceStub(channel)


def refused(call, *arguments, **more) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, timeout=5, **more)
    return error.value.code(), error.value.details()


@pytest.mark.parametrize("order", ["NEWEST_FIRST", "OLDEST_FIRST"])
def test_pages_follow_each_other_to_the_end(stub, order):
    request = logs_pb2.QueryRequest(order=order, limit=3)
    seen = []
    while True:
        page = stub.Query(request, timeout=5)
        seen += [each.id for each in page.entries]
        assert page.complete
        if not page.next_cursor:
            break
        request.cursor = page.next_cursor

    assert seen == [f"id-{number}" for number in range(10)][:: -1 if order == "NEWEST_FIRST" else 1]


@pytest.mark.parametrize(
    ("number", "name", "data"),
    [(8, "large", "x" * 1024 * 1024), (1_000, "\U0001f600" * 255, "x" * 3_000)],
    ids=["large texts", "long names"],
)
def test_a_client_that_was_not_told_to_take_more_than_usual_gets_all_page_by_page(stub, store, number, name, data):
    store.insert([entry(each)._replace(name=name, data=data) for each in range(100, 100 + number)])
    request = logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(name=[name]), limit=1_000)

    pages = []
    while not pages or request.cursor:
        pages.append(stub.Query(request, timeout=30))
        request.cursor = pages[-1].next_cursor

    assert sum(len(page.entries) for page in pages) == number
    assert all(page.ByteSize() < 3.6 * 1024 * 1024 for page in pages)


def test_an_entry_comes_whole(stub):
    (found,) = stub.Query(logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(id=["id-7"])), timeout=5).entries

    assert (found.name, found.data, found.level, found.service, found.protocol) == (
        "event",
        "text 7",
        "ERROR",
        "shop",
        "http",
    )
    assert found.timestamp == "2026-11-21T11:58:27.000Z"
    assert json.loads(found.fields_json) == {"big": 2**60 + 7, "user": {"id": 7}}


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"q": "level:error since:98s"}, {3, 5, 7, 9}),
        ({"level": "error", "until": "98s"}, {1}),
        ({"level_is": ["INFO"], "fields_json": '{"user.id":[1,2,4]}'}, {2, 4}),
        ({"words": ["text 3", "4"]}, {3, 4}),
        ({"name": ["other"]}, set()),
    ],
)
def test_the_filter_is_that_of_every_other_door(stub, wanted, numbers):
    entries = stub.Query(logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(**wanted)), timeout=5).entries

    assert {each.id for each in entries} == {f"id-{number}" for number in numbers}
    assert stub.Count(logs_pb2.CountRequest(filter=logs_pb2.LogFilter(**wanted)), timeout=5).count == len(numbers)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (logs_pb2.QueryRequest(limit=1001), "limit: must be a whole number from 1 to 1000"),
        (logs_pb2.QueryRequest(cursor="x"), "cursor: is no cursor"),
        (logs_pb2.QueryRequest(order=7), "order: must be one of newest, oldest"),
        (logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(q="lvl:x")), "position 0"),
        (logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(fields_json="[1]")), "fields_json: must be a JSON object"),
        (logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(fields_json="{")), "fields_json: must be a JSON object"),
        (logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(fields_json='{"a":{"$gt":1}}')), "fields"),
        (logs_pb2.QueryRequest(filter=logs_pb2.LogFilter(trace_id=["xyz"])), "trace_id"),
    ],
)
def test_what_is_wrong_is_the_callers_fault_and_told(stub, store, request_, said):
    code, details = refused(stub.Query, request_)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said in details
    assert store.asked == []


def test_questions_leave_threads_for_writers(stub, store):
    store.gate.clear()
    calls = [stub.Query.future(logs_pb2.QueryRequest(), timeout=10) for _ in range(THREADS)]
    eventually(lambda: len(store.asked) == THREADS)

    assert refused(stub.Query, logs_pb2.QueryRequest())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED

    store.gate.set()
    assert [len(call.result().entries) for call in calls] == [10, 10]


def test_a_deadline_bounds_the_time_for_the_search(stub, store):
    stub.Query(logs_pb2.QueryRequest(), timeout=0.7)
    stub.Query(logs_pb2.QueryRequest(), timeout=60)
    stub.Query(logs_pb2.QueryRequest())

    short, long, endless = (question.seconds for question in store.asked)
    assert 0 < short < 0.7
    assert 50 < long < 60
    assert endless is None


def test_a_store_that_is_away_is_unavailable(stub, store):
    store.failure = UnavailableError("the log store's database cannot be used now")

    assert refused(stub.Query, logs_pb2.QueryRequest())[0] is grpc.StatusCode.UNAVAILABLE
