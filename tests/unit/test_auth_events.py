from __future__ import annotations

from datetime import UTC, datetime

import orjson

from auth.domain import LogEvent
from auth.events import as_message
from common import context
from common.clock import FixedClock

CLOCK = FixedClock(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
REQUEST = context.RequestContext("req-7", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


def test_an_event_is_a_message_that_the_log_listener_and_a_go_listener_can_read():
    with context.bound(REQUEST):
        message = as_message(LogEvent("INFO", "admin@example.com logged in"), CLOCK)

    body = orjson.loads(message.body)
    assert (message.exchange, message.routing_key) == ("logs_topic", "log.INFO")
    assert body == {
        "name": "authentication",
        "data": "admin@example.com logged in",
        "id": message.message_id,
        "level": "INFO",
        "service": "auth",
        "request_id": "req-7",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "timestamp": "2026-03-04T05:06:07Z",
        "category": "audit",
    }
    assert list(body)[:2] == ["name", "data"]


def test_the_message_carries_the_request_in_its_headers():
    with context.bound(REQUEST):
        message = as_message(LogEvent("WARNING", "x"), CLOCK)

    assert message.routing_key == "log.WARNING"
    assert message.headers == {
        "X-Request-Id": "req-7",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }


def test_every_event_has_an_id_of_its_own_and_none_is_needed_from_a_request():
    first, second = (as_message(LogEvent("INFO", "x"), CLOCK) for _ in range(2))

    assert first.message_id != second.message_id
    assert first.headers == {}
