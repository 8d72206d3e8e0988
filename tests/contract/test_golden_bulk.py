"""The bulk doors against stored samples: what comes in as these bytes is answered with these bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.rpc import jsonrpc
from logger.app import create_app
from logger.memory.store import MemoryLogStore
from logger.rpc_methods import PAYLOAD
from logger.settings import LoggerSettings
from logger.writer import LogWriter
from protos import logs_pb2
from tests.grpc_door import servicer_for

GOLDEN = Path(__file__).resolve().parents[2] / "protos" / "golden"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


@pytest.fixture
def store():
    return MemoryLogStore()


def stream_messages() -> Iterator[logs_pb2.Log]:
    """Each is led by its length in four bytes."""
    rest = golden("write_log_stream.bin")
    while rest:
        end = 4 + int.from_bytes(rest[:4])
        yield logs_pb2.Log.FromString(rest[4:end])
        rest = rest[end:]


def test_newline_delimited_json_is_answered_byte_for_byte(store):
    app = create_app(LoggerSettings(logger_rpc_port=21905, logger_grpc_port=21906), store=store)
    writer = next(part for part in app.extensions["lifecycle"].parts if part.name == "writer")
    writer.start()
    try:
        reply = app.test_client().post(
            "/api/v1/logs", data=golden("bulk_request.ndjson"), headers={"Content-Type": "application/x-ndjson"}
        )
    finally:
        writer.stop()

    assert (reply.status_code, reply.headers["X-Log-Stored"]) == (207, "mongodb")
    assert reply.data == golden("bulk_reply.json")
    assert store.find("order-17").fields == {"amount": 9007199254740993}


def test_a_stream_of_grpc_messages_is_summed_up_byte_for_byte(store):
    writer = LogWriter(store)
    writer.start()
    try:
        servicer = servicer_for(store, writer, streams=1)
        summary = servicer.WriteLogStream(stream_messages(), None)
    finally:
        writer.stop()

    assert summary.SerializeToString() == golden("write_summary.bin")
    assert (store.find("order-17").data, store.find("order-17").fields) == ("Größe", {"amount": 3})
    assert store.find("order-18").fields == {"amount": 9007199254740993}


def test_a_batch_of_a_go_client_is_answered_with_the_bytes_of_a_go_json_rpc_server():
    (request,) = jsonrpc.RequestDecoder().feed(golden("jsonrpc_client_batch.bin"))
    stored = {"ID": "id-event", "Outcome": "stored", "Reason": ""}
    refused = {"ID": "", "Outcome": "refused", "Reason": "name: must not be empty"}

    first, second, third = jsonrpc.struct_list(request, PAYLOAD)

    assert [(row["Name"], row["Fields"]) for row in (first, second, third)] == [
        ("event", '{"index":0}'),
        ("", '{"index":1}'),
        ("event", '{"index":2}'),
    ]
    assert jsonrpc.reply_ok(request, [stored, refused, stored]) == golden("jsonrpc_server_batch.bin")
