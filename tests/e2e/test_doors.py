"""Each way into the log store, followed to the record that MongoDB holds."""

from __future__ import annotations

import json
import re
import secrets
import socket

import grpc
import pytest
from bson import ObjectId
from kombu import Connection, Exchange

from protos import logs_pb2, logs_pb2_grpc
from tests.waiting import eventually

REQUEST_ID = "e2e-request-1"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
IDENTITY = {"X-Request-Id": REQUEST_ID, "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}


@pytest.fixture
def name():
    """A name that no other test writes."""
    return f"e2e-{secrets.token_hex(6)}"


def stored(log_documents, name: str) -> dict:
    """The one record of this name, as soon as it is there."""
    eventually(lambda: log_documents.count_documents({"name": name}) == 1)
    return log_documents.find_one({"name": name})


@pytest.mark.parametrize(
    ("via", "message", "said"),
    [
        ("http", "logged", "mongodb"),
        ("rpc", "Processed payload via RPC:{name}", "mongodb"),
        ("grpc", "logged", "mongodb"),
        ("amqp", "logged via RabbitMQ", "queued"),
    ],
)
def test_an_entry_through_the_broker_arrives_whole_by_each_protocol(system, log_documents, name, via, message, said):
    body = {"action": "log", "log": {"name": name, "data": "Größe < 3 & ☃", "via": via, "level": "warning"}}

    reply = system.post("broker", "/handle", body, headers=IDENTITY)

    assert (reply.status_code, reply.json()["message"]) == (202, message.format(name=name))
    assert reply.headers["X-Request-Id"] == REQUEST_ID
    record = stored(log_documents, name)
    assert reply.json()["data"] == {"id": str(record["_id"]), "stored": said, "via": via}
    assert record["data"] == "Größe < 3 & ☃"
    assert (record["level"], record["protocol"]) == ("WARNING", via)
    assert (record["request_id"], record["trace_id"]) == (REQUEST_ID, TRACE_ID)
    assert record["created_at"] == record["updated_at"]


def test_the_default_protocol_is_rpc(system, log_documents, name):
    system.post("broker", "/handle", {"action": "log", "log": {"name": name, "data": "x"}})

    assert stored(log_documents, name)["protocol"] == "rpc"


@pytest.mark.parametrize("nested", [False, True])
def test_log_grpc_takes_both_bodies_to_the_store(system, log_documents, name, nested):
    entry = {"name": name, "data": "x"}

    reply = system.post("broker", "/log-grpc", {"action": "log", "log": entry} if nested else entry)

    assert (reply.status_code, reply.json()["message"]) == (202, "logged")
    assert stored(log_documents, name)["protocol"] == "grpc"


def test_the_documents_first_fields_are_those_of_the_original_in_its_order(system, log_documents, name):
    system.post("logger", "/log", {"name": name, "data": "x"})

    record = stored(log_documents, name)
    assert list(record)[:5] == ["_id", "name", "data", "created_at", "updated_at"]
    assert isinstance(record["_id"], ObjectId)
    assert isinstance(record["data"], str)


def test_a_stored_entry_is_read_back_through_the_broker(system, name):
    written = system.post("broker", "/handle", {"action": "log", "log": {"name": name, "data": "x"}}).json()["data"]

    import requests  # noqa: PLC0415 - only this test reads over HTTP by itself

    read = requests.get(system.url("broker", f"/api/v1/logs/{written['id']}"), timeout=10)

    assert read.status_code == 200
    assert (read.json()["id"], read.json()["name"]) == (written["id"], name)


def test_an_event_published_as_the_go_original_does_is_stored(system, log_documents, name):
    body = json.dumps({"name": name, "data": "from Go"}, indent="\t")
    with Connection(system.env["RABBIT_URL"], connect_timeout=5) as connection:
        producer = connection.Producer(
            exchange=Exchange("logs_topic", type="topic", durable=True), routing_key="log.ERROR", serializer=None
        )
        producer.publish(body, content_type="text/plain", content_encoding="utf-8", delivery_mode=1)

    record = stored(log_documents, name)
    assert (record["data"], record["level"], record["protocol"]) == ("from Go", "ERROR", "amqp")


def test_the_same_id_through_every_protocol_is_one_record(system, log_documents, name):
    for via in ("http", "rpc", "grpc", "amqp", "rpc"):
        entry = {"name": name, "data": "x", "id": name, "via": via}
        assert system.post("broker", "/handle", {"action": "log", "log": entry}).status_code == 202

    system.post("broker", "/handle", {"action": "log", "log": {"name": f"{name}-after", "data": "x", "via": "amqp"}})
    stored(log_documents, f"{name}-after")

    record = stored(log_documents, name)
    assert record["event_id"] == name


def test_grpc_has_health_and_reflection(system):
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 - only this test speaks these services
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: PLC0415 - as above

    with grpc.insecure_channel(system.env["LOGGER_GRPC_ADDRESS"]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "logs.LogService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = list(reflection.ServerReflectionInfo(iter([ask]), timeout=5))
        assert "logs.LogService" in {service.name for service in answer.list_services_response.service}


def test_many_entries_in_one_grpc_call_get_one_outcome_each(system, log_documents, name):
    entries = [
        logs_pb2.Log(name=name, data="1", id=f"{name}-1"),
        logs_pb2.Log(name="", data="2"),
        logs_pb2.Log(name=name, data="1", id=f"{name}-1"),
    ]
    with grpc.insecure_channel(system.env["LOGGER_GRPC_ADDRESS"]) as channel:
        stub = logs_pb2_grpc.LogServiceStub(channel)
        results = stub.WriteLogs(logs_pb2.WriteLogsRequest(entries=entries), timeout=5).results

    outcome = logs_pb2.WriteResult
    assert [result.outcome for result in results] == [outcome.STORED, outcome.REFUSED, outcome.DUPLICATE]
    assert results[1].reason == "name: must not be empty"
    stored(log_documents, name)


def test_a_call_that_carries_too_many_entries_is_refused_whole(system, log_documents, name):
    request = logs_pb2.WriteLogsRequest(entries=[logs_pb2.Log(name=name, data="x")] * 1001)
    with grpc.insecure_channel(system.env["LOGGER_GRPC_ADDRESS"]) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            logs_pb2_grpc.LogServiceStub(channel).WriteLogs(request, timeout=5)

        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert log_documents.count_documents({"name": name}) == 0


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (logs_pb2.LogRequest().SerializeToString(), grpc.StatusCode.INVALID_ARGUMENT),
        (b"\x0a\x03\x0a\x01\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (b"\x0a\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (b"x" * (9 * 1024 * 1024), grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["empty", "not UTF-8", "cut", "too large"],
)
def test_a_bad_grpc_message_gets_its_status_and_stores_nothing(system, log_documents, message, code):
    before = log_documents.count_documents({"protocol": "grpc"})
    with grpc.insecure_channel(system.env["LOGGER_GRPC_ADDRESS"]) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/logs.LogService/WriteLog")(message, timeout=5)

        assert refused.value.code() is code
        assert not re.search(r"Traceback|\.py|127\.0\.0\.1", refused.value.details())
    assert log_documents.count_documents({"protocol": "grpc"}) == before


def test_json_rpc_speaks_on_its_port(system, log_documents, name):
    host, port = system.env["LOGGER_RPC_ADDRESS"].split(":")
    call = {"method": "RPCServer.LogInfo", "params": [{"Name": name, "Data": "x"}], "id": 0}
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(json.dumps(call).encode())
        answer = connection.makefile("rb").readline()

    assert answer == f'{{"id":0,"result":"Processed payload via RPC:{name}","error":null}}\n'.encode()
    assert stored(log_documents, name)["protocol"] == "rpc"
