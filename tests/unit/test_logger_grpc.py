"""The gRPC door over a real channel, with the store in memory."""

from __future__ import annotations

import itertools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.errors import TooManyError, UnavailableError
from common.rpc.grpc_server import GrpcServer, ServerOptions, build_server
from common.rpc.grpc_watch import HealthWatch
from logger.grpc_servicer import MAX_REFUSALS, SERVICE_NAME
from logger.memory.store import MemoryLogStore
from logger.writer import LogWriter
from protos import logs_pb2, logs_pb2_grpc
from protos.limits import MAX_ENTRIES
from tests.grpc_door import servicer_for
from tests.services import free_port
from tests.waiting import eventually

STREAM = f"/{SERVICE_NAME}/WriteLogStream"
ENTRY = logs_pb2.Log(name="event", data="text")


class FailingStore(MemoryLogStore):
    failure: Exception | None = None
    waiting = False

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def insert(self, entries):
        self.waiting = True
        assert self.gate.wait(10)
        self.waiting = False
        if self.failure:
            raise self.failure
        return super().insert(entries)


@pytest.fixture
def store():
    return FailingStore()


@pytest.fixture
def address():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def grpc_server(store, address):
    writer = LogWriter(store)
    writer.start()
    servicer = servicer_for(store, writer, streams=2)
    server = build_server(
        address,
        register=lambda server: logs_pb2_grpc.add_LogServiceServicer_to_server(servicer, server),
        services=[SERVICE_NAME],
        options=ServerOptions(threads=8, grace=2),
    )
    server.start()
    yield server
    server.stop()
    writer.stop()


@pytest.fixture
def channel(grpc_server, address):
    with grpc.insecure_channel(address) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return logs_pb2_grpc.LogServiceStub(channel)


def test_health_follows_what_the_service_stands_on(channel, grpc_server):
    usable = [False]
    watch = HealthWatch(
        lambda: usable[0], lambda serving: grpc_server.set_serving(SERVICE_NAME, serving=serving), every=0.02
    )
    health = health_pb2_grpc.HealthStub(channel)

    def says() -> str:
        answer = health.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=5)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    assert says() == "SERVING"
    watch.start()
    eventually(lambda: says() == "NOT_SERVING")
    usable[0] = True
    eventually(lambda: says() == "SERVING")
    watch.stop()
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=5).status == health_pb2.HealthCheckResponse.SERVING


def test_who_watches_the_health_is_told_of_a_stop(channel, grpc_server):
    watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=20)
    assert next(watched).status == health_pb2.HealthCheckResponse.SERVING

    grpc_server.stop()

    assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_span_id_and_fields_are_kept_with_whole_numbers_as_integers(stub, store):
    entry = logs_pb2.Log(name="event", data="text", id="one", span_id="00f067aa0ba902b7", category="audit")
    entry.fields.update({"n": 3, "ratio": 0.5, "deep": {"list": [1, None, True, "x"]}})

    stub.WriteLog(logs_pb2.LogRequest(logEntry=entry), timeout=5)

    stored = store.find("one")
    assert (stored.span_id, stored.category) == ("00f067aa0ba902b7", "audit")
    assert repr(stored.fields["n"]) == "3"
    assert stored.fields == {"n": 3, "ratio": 0.5, "deep": {"list": [1, None, True, "x"]}}


def test_fields_as_json_text_win_and_keep_large_integers(stub, store):
    entry = logs_pb2.Log(name="event", data="", id="one", fields_json='{"n":9007199254740993}')
    entry.fields.update({"n": 1})

    stub.WriteLog(logs_pb2.LogRequest(logEntry=entry), timeout=5)

    assert store.find("one").fields == {"n": 9007199254740993}


def test_many_entries_in_one_call_are_answered_one_by_one(stub, store):
    bad = logs_pb2.Log(name="event", data="text", fields_json="[]")
    nan = logs_pb2.Log(name="event")
    nan.fields.update({"x": float("nan")})
    entries = [ENTRY, logs_pb2.Log(name="e", id="x"), bad, logs_pb2.Log(name="e", id="x"), nan]

    reply = stub.WriteLogs(logs_pb2.WriteLogsRequest(entries=entries), timeout=5)

    assert [logs_pb2.WriteResult.Outcome.Name(result.outcome) for result in reply.results] == [
        "STORED",
        "STORED",
        "REFUSED",
        "DUPLICATE",
        "REFUSED",
    ]
    assert [result.reason for result in reply.results if result.reason] == [
        "fields: must be an object",
        "fields: must not contain numbers that are not finite",
    ]
    assert len(store) == 2


def test_a_call_with_several_mebibytes_is_taken(stub, store):
    large = logs_pb2.Log(name="event", data="x" * 1_000_000)

    stub.WriteLogs(logs_pb2.WriteLogsRequest(entries=[large] * 7), timeout=10)

    assert len(store) == 7


def test_a_stream_is_stored_whole_and_summed_up(stub, store):
    count = 2 * MAX_ENTRIES + 345
    bad = range(1_200, count, 10)
    entries = [logs_pb2.Log(name="" if index in bad else "event", id=f"s-{index}") for index in range(count)]
    entries.append(logs_pb2.Log(name="event", id="s-1"))

    summary = stub.WriteLogStream(iter(entries), timeout=20)

    assert (summary.stored, summary.duplicate, summary.refused) == (count - len(bad), 1, len(bad))
    assert [refusal.index for refusal in summary.refusals] == list(bad[:MAX_REFUSALS])
    assert summary.refusals[0].reason == "name: must not be empty"
    assert len(store) == count - len(bad)


def test_an_empty_stream_is_an_empty_summary(stub):
    assert stub.WriteLogStream(iter(()), timeout=5) == logs_pb2.WriteSummary()


def test_entries_of_a_stream_are_stored_while_it_goes_on(stub, store):
    more = threading.Event()

    def slowly():
        yield ENTRY
        assert more.wait(10)
        yield ENTRY

    call = stub.WriteLogStream.future(slowly(), timeout=20)
    eventually(lambda: len(store) == 1)
    more.set()

    assert call.result(10).stored == 2


def test_a_slow_store_holds_a_stream_back_instead_of_filling_memory(stub, store):
    store.gate.clear()
    sent = itertools.count()
    last = 0

    def many():
        nonlocal last
        for index in range(200):
            last = next(sent)
            yield logs_pb2.Log(name="event", data="x" * 1_000_000, id=f"b-{index}")

    call = stub.WriteLogStream.future(many(), timeout=60)
    # one batch in the store's hands, one behind it, and what the connection itself holds
    eventually(lambda: last >= 8)
    seen = -1

    def stands_still() -> bool:
        nonlocal seen
        before, seen = seen, last
        return seen == before

    eventually(stands_still, every=0.5)
    assert last < 60

    store.gate.set()
    assert call.result(60).stored == 200


def test_a_store_that_fails_ends_the_stream_with_its_status(stub, store):
    store.failure = UnavailableError("the log store's database cannot be used now")
    endless = (ENTRY for _ in itertools.count())

    with pytest.raises(grpc.RpcError) as failed:
        stub.WriteLogStream(endless, timeout=20)

    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert failed.value.details() == "the log store's database cannot be used now"


def test_a_stream_that_ends_early_leaves_no_thread_and_no_traceback_behind(stub, store, caplog):
    caplog.set_level(logging.INFO, logger="request")

    def readers() -> int:
        return sum(thread.name == "grpc-intake" for thread in threading.enumerate())

    held = threading.Event()

    def endless():
        yield ENTRY
        held.wait(20)

    cancelled = stub.WriteLogStream.future(endless(), timeout=30)
    eventually(lambda: len(store) == 1)
    assert readers() == 1
    cancelled.cancel()
    eventually(lambda: readers() == 0)
    held.set()
    # a client that goes is no fault of ours, so no traceback is written
    (line,) = eventually(lambda: [each for each in caplog.records if each.name == "request"])
    assert (line.getMessage(), line.code) == ("call_served", "CANCELLED")


def test_a_reader_that_waits_for_room_ends_with_its_stream(stub, store):
    store.failure = UnavailableError("away")
    store.gate.clear()
    large = logs_pb2.Log(name="event", data="x" * 1_000_000)

    call = stub.WriteLogStream.future((large for _ in itertools.count()), timeout=20)
    (reader,) = eventually(lambda: [thread for thread in threading.enumerate() if thread.name == "grpc-intake"])
    intake = reader._target.__self__
    eventually(lambda: store.waiting and intake._full)
    store.gate.set()

    assert call.exception(20).code() is grpc.StatusCode.UNAVAILABLE
    eventually(lambda: not reader.is_alive())


def test_no_room_is_resource_exhausted_for_a_stream_too(stub, store):
    store.failure = TooManyError("the log store has no room now")

    for call in (
        lambda: stub.WriteLogStream(iter([ENTRY]), timeout=5),
        lambda: stub.WriteLogs(logs_pb2.WriteLogsRequest(entries=[ENTRY]), timeout=5),
    ):
        with pytest.raises(grpc.RpcError) as failed:
            call()
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_that_is_none_ends_a_stream_as_the_callers_fault(channel, store):
    raw = channel.stream_unary(STREAM)

    with pytest.raises(grpc.RpcError) as failed:
        raw(iter([ENTRY.SerializeToString(), b"\xff\xff"]), timeout=5)

    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_streams_that_stay_open_leave_room_for_other_callers_and_make_room_when_they_go(stub, store):
    release = threading.Event()

    def held():
        yield ENTRY
        release.wait(20)

    held_calls = [stub.WriteLogStream.future(held(), timeout=30) for _ in range(2)]
    eventually(lambda: len(store) == 2)
    with pytest.raises(grpc.RpcError) as refused:
        stub.WriteLogStream(iter([ENTRY]), timeout=5)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.WriteLog(logs_pb2.LogRequest(logEntry=ENTRY), timeout=5).result == "logged!"

    held_calls[0].cancel()

    def third():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(stub.WriteLogStream, iter([ENTRY]), timeout=5).result(10).stored == 1

    eventually(third)
    release.set()
    assert held_calls[1].result(10).stored == 1


def server_at(address: str, *, shared: bool) -> GrpcServer:
    options = ServerOptions(threads=1, grace=0.1, shared=shared)
    return build_server(address, register=lambda _: None, services=[], options=options)


@pytest.mark.parametrize("shared", [True, False])
def test_another_server_gets_the_port_only_when_both_are_to_share_it(address, shared):
    first = server_at(address, shared=shared)
    first.start()
    try:
        if shared:
            server_at(address, shared=True).stop()
        else:
            with pytest.raises(RuntimeError):
                server_at(address, shared=False)
    finally:
        first.stop()
