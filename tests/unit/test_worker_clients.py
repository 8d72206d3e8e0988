"""The worker's outgoing side: the log store over a real gRPC channel, dead letters as messages, properties that py-amqp cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from struct import pack

import amqp
import pytest
from amqp.serialization import dumps

from common.clock import FixedClock
from common.errors import BadReplyError, UnavailableError
from common.rpc.grpc_server import GrpcServer, ServerOptions, build_server
from protos import logs_pb2, logs_pb2_grpc
from worker.clients.dead_letters import RabbitDeadLetters
from worker.clients.log_store import SERVICE_NAME, GrpcLogStore
from worker.clients.messages import PORTION_MESSAGES
from worker.domain import Delivery, Entry, Rejected
from worker.wire import UNREADABLE, guard, read_any_properties


class ScriptedLogger(logs_pb2_grpc.LogServiceServicer):
    def __init__(self) -> None:
        self.received: list[logs_pb2.Log] = []
        self.results: list[logs_pb2.WriteResult] = []

    def WriteLogs(self, request, context):  # noqa: N802 - grpc's names
        self.received.extend(request.entries)
        return logs_pb2.WriteLogsResponse(results=self.results)


@pytest.fixture
def logger() -> ScriptedLogger:
    return ScriptedLogger()


@pytest.fixture
def server(logger) -> Iterator[GrpcServer]:
    built = build_server(
        "127.0.0.1:0",
        register=lambda server: logs_pb2_grpc.add_LogServiceServicer_to_server(logger, server),
        services=[SERVICE_NAME],
        options=ServerOptions(threads=2, grace=0.1),
    )
    yield built
    built.stop()


@pytest.fixture
def store(server) -> Iterator[GrpcLogStore]:
    port = server.server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = GrpcLogStore(f"127.0.0.1:{port}", timeout=5)
    client.start()
    yield client
    client.stop()


def entry(name: str = "event") -> Entry:
    return Entry(
        id="id-1",
        name=name,
        data="hello",
        level="ERROR",
        service="shop",
        request_id="r-1",
        trace_id="0" * 31 + "1",
        span_id="0" * 15 + "1",
        timestamp="2026-03-01T10:00:00+00:00",
        fields='{"order":7}',
        category="audit",
    )


def rejected(**properties) -> Rejected:
    headers = properties.pop("headers", {})
    return Rejected(Delivery(7, b"\xffraw", "log.ERROR", headers, properties), "body is not valid JSON")


class Outbox:
    """The publisher's place."""

    def __init__(self) -> None:
        self.sent: list[list] = []

    def publish_many(self, messages) -> None:
        self.sent.append(messages)


NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_an_entry_reaches_the_store_whole_and_marked_as_amqp(store, logger):
    logger.results = [logs_pb2.WriteResult(outcome=logs_pb2.WriteResult.STORED)]

    assert store.write([entry()]) == [""]

    assert logger.received == [
        logs_pb2.Log(
            id="id-1",
            name="event",
            data="hello",
            level="ERROR",
            service="shop",
            protocol="amqp",
            request_id="r-1",
            trace_id="0" * 31 + "1",
            span_id="0" * 15 + "1",
            timestamp="2026-03-01T10:00:00+00:00",
            fields_json='{"order":7}',
            category="audit",
        )
    ]


def test_a_duplicate_counts_as_kept_and_a_refusal_brings_its_reason(store, logger):
    result = logs_pb2.WriteResult
    logger.results = [
        result(outcome=result.DUPLICATE),
        result(outcome=result.REFUSED, reason="name: too long"),
        result(outcome=result.REFUSED),
    ]

    assert store.write([entry()] * 3) == ["", "name: too long", "refused by the log store"]


def test_an_answer_that_does_not_cover_every_entry_acknowledges_none(store, logger):
    logger.results = [logs_pb2.WriteResult()]

    with pytest.raises(BadReplyError):
        store.write([entry(), entry()])


def test_the_store_is_checked_by_its_own_word(store, server):
    store.check()

    server.health.enter_graceful_shutdown()

    with pytest.raises(UnavailableError):
        store.check()


def test_before_the_start_the_store_is_down_rather_than_broken():
    with pytest.raises(UnavailableError):
        GrpcLogStore("127.0.0.1:1", timeout=1).check()


def test_a_dead_letter_is_the_message_as_it_came_with_the_reason_added():
    outbox = Outbox()
    letters = RabbitDeadLetters(outbox, FixedClock(NOW))

    letters.keep([rejected(headers={"X-Request-Id": "r-1"}, message_id="m", content_type="text/plain", timestamp=5)])

    ((message,),) = outbox.sent
    assert (message.exchange, message.routing_key, message.body) == ("logs.dlx", "log.ERROR", b"\xffraw")
    assert message.message_id == "m"
    assert (message.properties["content_type"], message.properties["timestamp"]) == ("text/plain", 5)
    assert message.properties["app_id"] is None
    assert message.headers == {
        "X-Request-Id": "r-1",
        "x-reason": "body is not valid JSON",
        "x-origin-queue": "logs.store",
        "x-refused-at": "2026-03-01T10:00:00.000+00:00",
        "x-first-seen": "2026-03-01T10:00:00.000+00:00",
        "x-routing-key": "log.ERROR",
        "x-attempts": '[{"at":"2026-03-01T10:00:00.000+00:00","reason":"body is not valid JSON","tier":"logs.dlq"}]',
    }


def test_properties_that_the_broker_would_act_on_become_headers():
    outbox = Outbox()

    RabbitDeadLetters(outbox, FixedClock(NOW)).keep([rejected(user_id="shop", expiration="1000")])

    ((message,),) = outbox.sent
    assert not {"user_id", "expiration"} & set(message.properties)
    assert (message.headers["x-original-user-id"], message.headers["x-original-expiration"]) == ("shop", "1000")
    assert len(message.message_id) == 24


def test_many_dead_letters_go_in_portions_that_a_confirm_can_cover():
    outbox = Outbox()

    RabbitDeadLetters(outbox, FixedClock(NOW)).keep([rejected()] * (2 * PORTION_MESSAGES + 1))

    assert [len(portion) for portion in outbox.sent] == [PORTION_MESSAGES, PORTION_MESSAGES, 1]


@pytest.mark.parametrize(
    ("headers", "carried"),
    [
        ({"n": 1, "t": datetime(2026, 1, 1), "l": [1, {"a": None}]}, True),  # noqa: DTZ001 - as py-amqp reads it
        ({"d": Decimal("1E+300")}, False),
        ({"big": "x" * 120_000}, False),
    ],
)
def test_headers_that_cannot_be_written_again_are_known_before_trying(headers, carried):
    letters = RabbitDeadLetters(Outbox(), FixedClock(NOW))

    assert letters.can_carry(rejected(headers=headers)) is carried


def properties_block(headers: bytes) -> bytes:
    """An AMQP content header with nothing but a header table."""
    return pack(">HxxQ", 60, 3) + pack(">H", 0x2000) + pack(">I", len(headers)) + headers


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01aT" + b"\xff" * 8,  # a time beyond the year 9999
        b"\x01a?",  # a type that does not exist
        b"\x01aA\x00\x00\xff\xff" + b"A\x00\x00\xff\xff" * 5000,  # deeper than the interpreter's stack
    ],
)
def test_properties_that_cannot_be_decoded_do_not_break_the_connection(headers):
    read_any_properties()
    message = amqp.Message()

    message.inbound_header(properties_block(headers))

    assert message.properties == {UNREADABLE: True}
    assert message.body_size == 3


def test_readable_properties_are_read_as_ever():
    read_any_properties()
    message = amqp.Message()

    message.inbound_header(properties_block(b"\x01aS\x00\x00\x00\x02ok"))

    assert message.properties == {"application_headers": {"a": "ok"}}


def test_a_delivery_whose_routing_key_is_not_text_is_refused_by_its_tag():
    refused: list[int] = []

    class Channel:
        def dispatch_method(self, method_sig, payload, content):
            amqp.serialization.loads("sLbss", payload, 4)

    channel = Channel()
    guard(channel, refused.append)
    payload = b"\x00\x3c\x00\x3c" + dumps("sLbss", ["tag", 41, False, "logs_topic", "log.X"]).replace(b"X", b"\xff")

    channel.dispatch_method((60, 60), payload, None)

    assert refused == [41]
    with pytest.raises(UnicodeDecodeError):
        channel.dispatch_method((60, 50), payload, None)
