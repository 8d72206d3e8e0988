"""The live tail of the log store on the real database: what it holds on to, how it ends, and its gRPC door."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import grpc
import psutil
import pytest
import requests
from bson import ObjectId
from pymongo import MongoClient

from common.mongo import create_mongo
from logger.mongo.changes import MongoChangeLog
from logger.query.filters import Filter
from logger.tailing.places import Live, opened, sealed
from protos import logs_pb2, logs_pb2_grpc
from tests.outages import paused
from tests.services import free_port, own_service
from tests.system import System
from tests.tailing import PATH, Stream
from tests.waiting import eventually

# More than a test leaves behind that the log store has not yet seen go.
STREAMS = 6


@pytest.fixture
def tag() -> str:
    return f"tail{secrets.token_hex(4)}"


@contextmanager
def own_logger(system: System, **changes: str) -> Iterator[tuple[str, str]]:
    """The HTTP and the gRPC address of a log store of one process beside the system's own, on the same database."""
    grpc_port = free_port()
    ports = {"LOGGER_GRPC_PORT": str(grpc_port), "LOGGER_RPC_PORT": str(free_port())}
    with own_service(system, "logger", **ports, LOGGER_WORKERS="1", **changes) as url:
        yield url, f"127.0.0.1:{grpc_port}"


@pytest.fixture(scope="module")
def logger(system: System) -> Iterator[tuple[str, str]]:
    with own_logger(system, LOGGER_STREAMS=str(STREAMS)) as addresses:
        yield addresses


@pytest.fixture
def url(logger: tuple[str, str]) -> str:
    return logger[0]


@pytest.fixture
def stub(logger: tuple[str, str]) -> Iterator[logs_pb2_grpc.LogServiceStub]:
    with grpc.insecure_channel(logger[1]) as channel:
        yield logs_pb2_grpc.LogServiceStub(channel)


class Database:
    """What the database holds open for readers, as its administrator sees it."""

    def __init__(self, client: MongoClient) -> None:
        self._client = client
        # a log store that was killed before leaves a cursor there until its session ends, half an hour later
        self._old = self._cursors()

    @property
    def change_streams(self) -> int:
        return len(self._cursors() - self._old)

    def _cursors(self) -> set[int]:
        found = self._client.admin.aggregate([{"$currentOp": {"allUsers": True, "idleCursors": True}}])
        return {
            operation["cursor"]["cursorId"]
            for operation in found
            if any(
                "$changeStream" in stage
                for stage in operation.get("cursor", {}).get("originatingCommand", {}).get("pipeline", [])
            )
        }


@pytest.fixture
def database(system: System) -> Iterator[Database]:
    client: MongoClient = MongoClient(system.env["MONGO_ADMIN_URL"], serverSelectionTimeoutMS=5000)
    yield Database(client)
    client.close()


def process_of(url: str) -> psutil.Process:
    """The worker behind an address."""
    port = urlsplit(url).port
    (master,) = {
        process.pid
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.status == "LISTEN" and connection.laddr.port == port and process.children()
    }
    return psutil.Process(master).children()[0]


def write(url: str, name: str, data: str = "text") -> str:
    reply = requests.post(f"{url}/api/v1/logs", json={"name": name, "data": data}, timeout=15)
    assert reply.status_code == 201, reply.text
    stored: str = reply.json()["id"]
    return stored


def test_when_the_last_reader_hangs_up_nothing_is_left_open(database, url, tag):
    process = process_of(url)
    left: list[int] = []
    for _ in range(4):
        streams = [Stream(url, name=tag) for _ in range(STREAMS)]
        for stream in streams:
            stream.until("live")
        assert database.change_streams >= 1

        for stream in streams:
            stream.hang_up()

        eventually(lambda: database.change_streams == 0, seconds=15)
        # what the database's pool keeps from the first time is not what a reader leaves behind
        eventually(lambda: not left or len(process.net_connections("tcp")) < left[0] + STREAMS, seconds=15)
        left.append(len(process.net_connections("tcp")))


def test_twenty_readers_share_one_change_stream(system, database, tag):
    with own_logger(system) as (url, _), ExitStack() as stack:
        streams = [Stream(url, name=tag, history="0") for _ in range(20)]
        for stream in streams:
            stack.callback(stream.hang_up)
            stream.until("live")

        eventually(lambda: database.change_streams == 1)
        stored = write(url, tag)

        assert [stream.take(1)[0].data["id"] for stream in streams] == [stored] * 20


def test_a_reader_behind_the_gateway_that_hangs_up_is_gone_from_the_log_store_too(system, database, tag):

    stream = Stream(system.url("broker"), name=tag)
    stream.until("live")
    assert database.change_streams == 1

    stream.hang_up()

    eventually(lambda: database.change_streams == 0, seconds=15)


def test_one_reader_too_many_is_told_when_to_come_back(url, stub, tag):
    streams = [Stream(url, name=tag, history="0") for _ in range(STREAMS)]
    try:
        for stream in streams:
            stream.until("live")

        reply = requests.get(url + PATH, timeout=15)
        with pytest.raises(grpc.RpcError) as refused:
            next(stub.Tail(logs_pb2.TailRequest(), timeout=15))

        assert reply.status_code == 429
        assert int(reply.headers["Retry-After"]) > 0
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        for stream in streams:
            stream.hang_up()
    eventually(lambda: _opens(url), seconds=15)


def _opens(url: str) -> bool:
    stream = Stream(url, history="0")
    stream.hang_up()
    return stream.status == 200


def test_a_stop_ends_every_stream_in_order_and_within_the_grace(system, tag):
    with own_logger(system, SHUTDOWN_GRACE="15") as (url, _):
        streams = [Stream(url, name=tag) for _ in range(3)]
        for stream in streams:
            stream.until("live")
        raw = [stream.answer for stream in streams]
        began = time.monotonic()
    took = time.monotonic() - began

    # a broken-off answer would raise IncompleteRead here
    rests = [answer.read() for answer in raw]
    for stream in streams:
        stream.hang_up()
    assert all(rest.endswith(b"retry: 2000\n\n") for rest in rests)
    assert took < 12


def test_the_gateway_stops_within_its_grace_though_streams_are_open(system, tag, tmp_path):
    with own_service(system, "broker", SHUTDOWN_GRACE="15", SPOOL_DIR=str(tmp_path)) as url:
        stream = Stream(url, name=tag)
        stream.until("live")
        began = time.monotonic()
    took = time.monotonic() - began

    assert stream.answer.read().endswith(b"retry: 2000\n\n")
    stream.hang_up()
    assert took < 12


def test_a_reader_on_whom_nothing_comes_hears_so_and_keeps_a_place_from_which_nothing_is_lost(url, tag):
    stream = Stream(url, name=tag, history="0")
    stream.until("live")
    first = stream.last_id
    reader = threading.Thread(target=lambda: list(stream.events()))
    reader.start()
    eventually(lambda: stream.comments >= 1 and stream.last_id != first, seconds=25)
    stream.hang_up()
    reader.join(10)

    stored = write(url, tag)

    again = Stream(url, name=tag, last_id=stream.last_id)
    assert [event.data["id"] for event in again.take(1)] == [stored]
    again.hang_up()


def test_a_place_that_the_database_does_not_remember_is_told_and_the_reader_begins_anew(url, tag):
    stored = write(url, tag)
    stream = Stream(url, name=tag, history="0")
    stream.until("live")
    live = _place_after(url, tag)
    stream.hang_up()
    long_ago = 1_600_000_000
    token = live.token[:2] + f"{long_ago:08X}" + live.token[10:]

    again = Stream(url, name=tag, last_id=sealed(Live(token, long_ago)))
    events = again.until("live")
    again.hang_up()

    missed, entry, *_ = events
    assert (missed.name, missed.data["count"], missed.data["since"]) == ("missed", None, "2020-09-13T12:26:10.000Z")
    assert entry.data["id"] == stored
    found = requests.get(url + missed.data["query"], timeout=15).json()
    assert [each["id"] for each in found["items"]] == [stored]


def _place_after(url: str, tag: str) -> Live:
    """Of an entry just stored."""
    stream = Stream(url, name=f"{tag}-place", history="0")
    stream.until("live")
    write(url, f"{tag}-place")
    (event,) = stream.take(1)
    stream.hang_up()
    place = opened(event.id)
    assert isinstance(place, Live)
    return place


def test_a_database_that_is_silent_for_a_while_costs_a_reader_nothing(system, url, tag):
    stream = Stream(url, name=tag, history="0")
    stream.until("live")
    with paused(system, "mongo"):
        threading.Event().wait(3)

    stored = [write(url, tag) for _ in range(3)]

    assert [event.data["id"] for event in stream.take(3)] == stored
    stream.hang_up()


def test_the_history_of_a_rare_word_comes_though_the_whole_range_must_be_looked_at(url, tag):
    stored = write(url, tag, data=f"the needle {tag} lies here")

    stream = Stream(url, words=tag, history="5")

    assert [event.data["id"] for event in stream.until("live") if event.name == "message"] == [stored]
    stream.hang_up()


def test_a_history_of_large_entries_is_read_about_a_mebibyte_at_a_time(system, tag):
    """Of small ones, of large ones, and of both; a reader that does not read holds no more than that in memory."""
    sizes = [10] * 250 + [900_000] * 5 + [300_000] * 7 + [10] * 3
    documents = [
        {"_id": ObjectId(), "name": tag, "data": "x" * size, "created_at": datetime.now(UTC), "updated_at": None}
        for size in sizes
    ]
    with create_mongo(system.env["MONGO_ADMIN_URL"].replace("/?", f"/{tag}?"), app_name="test") as client:
        client[tag]["logs"].insert_many(documents)
        history = MongoChangeLog(client).history(Filter(), limit=1_000)
        try:
            batches = list(history)
        finally:
            history.close()
            client.drop_database(tag)

    assert [change.entry.id for batch in batches for change in batch] == [str(each["_id"]) for each in documents]
    assert all(sum(change.size for change in batch) <= 1024 * 1024 for batch in batches)
    assert [len(batch) for batch in batches] == [200, 51, 1, 1, 1, 1, 3, 3, 4]


def tail_of(stub: logs_pb2_grpc.LogServiceStub, tag: str, **members: object):
    return stub.Tail(logs_pb2.TailRequest(filter=logs_pb2.LogFilter(name=[tag]), **members), timeout=60)


def test_over_grpc_history_comes_first_then_what_is_stored_and_a_reader_comes_back_where_it_was(url, stub, tag):
    stored = [write(url, tag, str(number)) for number in range(3)]
    call = tail_of(stub, tag, history=2)
    events = [next(call) for _ in range(3)]
    stored.append(write(url, tag, "3"))
    events.append(next(call))
    call.cancel()

    assert [event.WhichOneof("event") for event in events] == ["entry", "entry", "live", "entry"]
    assert [event.entry.id for event in events if event.HasField("entry")] == stored[1:]
    assert events[2].live.complete

    stored.append(write(url, tag, "4"))
    again = tail_of(stub, tag, last_event_id=events[0].id)
    assert [next(again).entry.id for _ in range(3)] == stored[2:]
    again.cancel()


@pytest.mark.parametrize("members", [{"last_event_id": "nonsense"}, {"history": 1001}])
def test_over_grpc_what_is_wrong_is_an_invalid_argument(stub, tag, members):
    with pytest.raises(grpc.RpcError) as refused:
        next(tail_of(stub, tag, **members))

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_grpc_reader_that_leaves_lets_go_of_its_place(stub, database, tag):

    for _ in range(STREAMS + 2):
        call = tail_of(stub, tag)
        assert next(call).HasField("live")
        call.cancel()
        eventually(lambda: database.change_streams == 0, seconds=15)
