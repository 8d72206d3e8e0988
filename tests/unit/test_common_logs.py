from __future__ import annotations

import errno
import io
import json
import logging
import sys

import pytest

from common import context, logs
from common.logs import JsonFormatter, LineHandler, ServiceFilter
from tests.waiting import eventually


@pytest.fixture
def line():
    """The JSON line of one record, as the handler would write it."""
    formatter, service = JsonFormatter(), ServiceFilter("auth")

    def make(message: str, *, level: int = logging.INFO, exc_info=None, **fields: object) -> dict:
        record = logging.LogRecord("auth.service", level, "file.py", 1, message, (), exc_info)
        vars(record).update(fields)
        service.filter(record)
        text = formatter.format(record)
        assert "\n" not in text
        parsed: dict = json.loads(text)
        return parsed

    return make


def test_a_line_names_time_level_service_event_and_its_fields(line):
    parsed = line("login_refused", level=logging.WARNING, attempts=3)

    assert (parsed["level"], parsed["service"], parsed["msg"], parsed["attempts"]) == (
        "WARNING",
        "auth",
        "login_refused",
        3,
    )
    assert parsed["ts"].endswith("Z")


def test_a_line_inside_a_request_carries_its_identity(line):
    with context.bound(context.continue_context("req-1", None)) as bound:
        parsed = line("anything")

    assert (parsed["request_id"], parsed["trace_id"]) == ("req-1", bound.trace_id)
    assert "request_id" not in line("anything")


@pytest.mark.parametrize("hostile", ["line\nbreak", "\ud800 lone", "Größe ☃", '"quoted"', "\x00"])
def test_no_text_breaks_the_line_or_the_stream(line, hostile):
    parsed = line("anything", text=hostile)

    assert parsed["text"] == hostile


def test_a_failure_brings_its_type_and_its_stack(line):
    def fail() -> None:
        raise ValueError("broken")

    try:
        fail()
    except ValueError:
        parsed = line("request_failed", exc_info=sys.exc_info())

    assert parsed["error.type"] == "ValueError"
    assert "test_common_logs" in parsed["error.stack"]


@pytest.fixture
def handler():
    handler = LineHandler(io.StringIO())
    yield handler
    handler.stop()


def record(level: int, message: str) -> logging.LogRecord:
    return logging.LogRecord("x", level, "file.py", 1, message, (), None)


def test_a_line_is_written_at_once_unless_batches_have_been_started(handler):
    handler.handle(record(logging.INFO, "first"))

    assert handler.stream.getvalue() == "first\n"


@pytest.fixture
def batches(handler, monkeypatch):
    """The handler with batches that no time ends."""
    monkeypatch.setattr(logs, "LINGER_SECONDS", 60)
    handler.start()
    return handler


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_a_batch_is_written_in_order_by_the_first_line_that_matters(batches, level):
    batches.handle(record(logging.INFO, "first"))
    batches.handle(record(logging.INFO, "second"))
    assert batches.stream.getvalue() == ""

    batches.handle(record(level, "third"))

    assert batches.stream.getvalue() == "first\nsecond\nthird\n"


def test_no_more_lines_wait_than_may(batches):
    for number in range(logs.MOST_WAITING):
        assert batches.stream.getvalue() == ""
        batches.handle(record(logging.INFO, str(number)))

    assert batches.stream.getvalue().count("\n") == logs.MOST_WAITING


def test_a_line_of_a_quiet_process_waits_for_a_moment_only(handler):
    handler.start()
    handler.handle(record(logging.INFO, "alone"))

    eventually(lambda: handler.stream.getvalue() == "alone\n", seconds=2)


def test_nothing_is_left_behind_when_batches_end(handler):
    handler.start()
    handler.handle(record(logging.INFO, "last"))
    handler.stop()

    assert handler.stream.getvalue() == "last\n"


class FullDisk(io.StringIO):
    """A stream that takes nothing until there is `room`."""

    room = False
    refused = 0

    def write(self, text: str) -> int:
        if not self.room:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_a_stream_that_takes_no_lines_fails_nobody_s_work(handler, level):
    handler.setStream(FullDisk())

    handler.handle(record(level, "lost"))

    handler.start()
    handler.handle(record(level, "lost"))
    handler.stop()


def test_lines_are_written_again_when_the_stream_takes_them(handler):
    full = FullDisk()
    handler.setStream(full)
    handler.start()
    handler.handle(record(logging.INFO, "lost"))
    eventually(lambda: full.refused, seconds=2)

    full.room = True
    handler.handle(record(logging.INFO, "kept"))

    eventually(lambda: full.getvalue() == "kept\n", seconds=2)


def test_each_batch_of_a_busy_process_is_followed_by_the_next(handler):
    handler.start()
    for number in range(3):
        handler.handle(record(logging.INFO, f"burst {number}"))
        eventually(lambda told=f"burst {number}\n": handler.stream.getvalue().endswith(told), seconds=2)
