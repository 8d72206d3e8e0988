"""The text of Server-Sent Events, and when a stream of them ends."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest
from flask import Flask, Response

from common.web import sse
from common.web.access import Access, access
from common.web.app import create_flask
from common.web.sse import comment, event, event_stream, retry
from common.web.streams import Client, Lookout
from tests.waiting import eventually


class Source:
    """Gives what it is told, and counts how often it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1


class Someone(Client):
    def __init__(self, *, gone: bool = False, leaving: bool = False) -> None:
        super().__init__(None, threading.Event())
        self.gone, self.leaving = gone, leaving

    @property
    def is_gone(self) -> bool:
        return self.gone

    @property
    def must_leave(self) -> bool:
        return self.leaving


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass with every look at them."""
    passed = [0.0]

    def look() -> float:
        passed[0] += step[0]
        return passed[0]

    step = [1.0]
    monkeypatch.setattr(sse.time, "monotonic", look)
    return step


def serve(source: Source, client: Client) -> Flask:
    app = create_flask("events", checks={})

    @app.get("/events")
    @access(Access.PUBLIC)
    def events() -> Response:
        return event_stream(source, client)

    return app


def body(source: Source, client: Client | None = None) -> bytes:
    """All that is sent, as a server sends it, which closes what it has read."""
    with serve(source, client or Someone()).test_client().get("/events") as reply:
        return reply.data


def test_an_event_has_its_id_and_name_before_its_data():
    assert event("hello", name="greeting", id="7") == b"id: 7\nevent: greeting\ndata: hello\n\n"


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\rtwo"])
def test_every_line_of_the_data_is_a_line_of_its_own(text):
    assert event(text) == b"data: one\ndata: two\n\n"


def test_json_as_bytes_is_sent_as_it_is():
    assert event(b'{"a":"\\n"}', id="1") == b'id: 1\ndata: {"a":"\\n"}\n\n'


def test_an_id_without_data_moves_the_place_and_dispatches_nothing():
    assert event(id="7") == b"id: 7\n\n"


def test_an_empty_text_is_an_event_all_the_same():
    assert event("") == b"data: \n\n"


@pytest.mark.parametrize("wrong", ["a\nb", "a\rb", "a\0b"])
def test_a_name_or_an_id_cannot_smuggle_in_another_line(wrong):
    with pytest.raises(ValueError, match="one line"):
        event("", id=wrong)
    with pytest.raises(ValueError, match="one line"):
        event("", name=wrong)


def test_a_comment_stays_one_on_every_line():
    assert comment("still\nhere") == b": still\n: here\n\n"


def test_a_stream_tells_first_when_to_come_back_and_then_what_the_source_gives():
    assert body(Source(b"one", b"", b"two")) == retry() + b"onetwo"


def test_a_stream_is_not_to_be_kept_by_any_cache_or_collected_by_any_proxy():
    reply = serve(Source(), Someone()).test_client().get("/events")

    assert reply.content_type == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert "X-Request-Id" in reply.headers


def test_a_stream_on_which_nothing_comes_says_that_it_is_still_there(clock):
    clock[0] = sse.KEEP_ALIVE_SECONDS / 2

    assert comment("still here") in body(Source(b"", b"", b""))


def test_a_stream_ends_with_a_last_hint_when_the_process_is_to_stop(clock):
    source = Source(b"one", b"never")

    assert body(source, Someone(leaving=True)) == retry() + b"one" + retry()
    assert source.closed == 1


def test_a_stream_ends_when_its_client_is_gone(clock):
    source = Source(b"", b"never")

    assert body(source, Someone(gone=True)) == retry()
    assert source.closed == 1


def test_a_source_is_closed_once_even_when_nobody_ever_reads_it():
    source = Source(b"one")
    app = serve(source, Someone())
    with app.test_request_context("/events"):
        response = app.full_dispatch_request()

    response.close()
    response.close()

    assert source.closed == 1


def test_the_log_tells_what_a_stream_came_to(caplog, clock):
    caplog.set_level(logging.INFO, logger="request")

    body(Source(b"12345"), Someone())

    line = next(record for record in caplog.records if record.message == "stream_ended")
    assert (line.route, line.end, line.bytes) == ("/events", "source", len(retry()) + 5)


def test_a_client_that_closes_its_connection_is_gone_without_a_byte_written_or_read():
    ours, theirs = _connected()
    with ours, theirs:
        client = Client(ours, threading.Event())
        assert not client.is_gone

        theirs.close()

        eventually(lambda: client.is_gone, seconds=5)


def test_a_client_whose_requests_are_no_longer_read_is_still_there():
    """As the worker does with every connection after ten seconds."""
    ours, theirs = _connected()
    with ours, theirs:
        ours.shutdown(socket.SHUT_RD)

        assert not Client(ours, threading.Event()).is_gone


def test_the_lookout_ends_what_is_over_and_its_thread_ends_with_the_last_watch():
    lookout, ended, over = Lookout(), threading.Event(), threading.Event()

    with lookout.watching(lambda: False, lambda: None), lookout.watching(over.is_set, ended.set):
        over.set()
        assert ended.wait(5)

    eventually(lambda: not any(thread.name == "lookout" for thread in threading.enumerate()), seconds=5)


def test_a_watch_that_fails_costs_the_others_nothing(caplog):
    lookout, ended, over = Lookout(), threading.Event(), threading.Event()

    def fail() -> bool:
        raise ZeroDivisionError

    with (
        lookout.watching(fail, lambda: None),
        lookout.watching(lambda: True, fail),
        lookout.watching(over.is_set, ended.set),
    ):
        eventually(lambda: [record.msg for record in caplog.records].count("lookout_failed") >= 2, seconds=5)
        over.set()
        assert ended.wait(5)

    eventually(lambda: not any(thread.name == "lookout" for thread in threading.enumerate()), seconds=5)


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname(), timeout=5)
        ours, _ = server.accept()
    return ours, theirs
