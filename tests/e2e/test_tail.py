"""The live tail through the gateway: what clients acknowledged is at its readers, each entry once, whatever happens in between."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Self

import pytest
import requests

from tests.system import System
from tests.tailing import PATH, Follower, Stream
from tests.waiting import eventually

BATCH = 50
# which reader is cut off when
chance = random.Random(7)  # noqa: S311 - not for secrets


@pytest.fixture
def tag() -> str:
    return f"tail{secrets.token_hex(4)}"


class Writer:
    """Writes as fast as it can through the gateway. `acknowledged`: the data of every entry that is kept by the answer's own words."""

    def __init__(self, base: str, tag: str, *, padding: int = 0) -> None:
        self._url = f"{base}/api/v1/logs"
        self._tag = tag
        self._padding = "x" * padding
        self.acknowledged: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)

    def _run(self) -> None:
        number = 0
        with requests.Session() as session:
            while not self._stopped.is_set():
                names = [f"{self._tag}-{number + index}" for index in range(BATCH)]
                body = [{"id": name, "name": self._tag, "data": name + self._padding} for name in names]
                self._write(session, body)
                self.acknowledged += names
                number += BATCH

    def _write(self, session: requests.Session, body: list[dict[str, str]]) -> None:
        """Until it is acknowledged: the same ids, so that nothing is stored twice."""
        while True:
            try:
                if session.post(self._url, json=body, timeout=20).status_code in (200, 202):
                    return
            except requests.RequestException:
                pass
            self._stopped.wait(0.1)


@pytest.fixture
def followers(system: System, tag: str) -> Iterator[list[Follower]]:
    """Three that are all there before anything is written."""
    followers = [Follower(system.url("broker"), name=tag, history="0") for _ in range(3)]
    try:
        for follower in followers:
            eventually(follower.is_live, seconds=30)
        yield followers
    finally:
        for follower in followers:
            follower.stop()


def ids(follower: Follower) -> Counter[str]:
    return Counter(event.data["id"] for event in follower.events if event.name == "message")


def post(system: System, name: str, **members: object) -> str:
    reply = system.post("broker", "/api/v1/logs", {"name": name, "data": "text", **members})
    assert reply.status_code == 201, reply.text
    stored: str = reply.json()["id"]
    return stored


def test_an_entry_is_at_the_reader_as_it_is_in_the_store(system, tag):
    stream = Stream(system.url("broker"), name=tag)
    stream.until("live")

    stored = post(system, tag, data="umlaut ü\nand a second line", level="error", fields={"user": {"id": 42}})

    (event,) = stream.take(1)
    assert event.data == requests.get(system.url("broker", f"/api/v1/logs/{stored}"), timeout=10).json()
    assert event.data["fields"] == {"user": {"id": 42}}
    stream.hang_up()


def test_history_comes_oldest_first_and_the_live_part_behind_it(system, tag):
    stored = [post(system, tag, data=str(number)) for number in range(5)]
    stream = Stream(system.url("broker"), q=f"name:{tag}", history="3")
    history = stream.until("live")
    stored.append(post(system, tag))

    (last,) = stream.take(1)

    assert [event.data["id"] for event in history[:-1]] + [last.data["id"]] == stored[2:]
    assert history[-1].data == {"complete": True}
    stream.hang_up()


def test_a_reader_hears_only_what_it_asked_for(system, tag):
    stream = Stream(system.url("broker"), q=f"name:{tag} level:warning -fields.noisy:true", history="0")
    stream.until("live")

    post(system, f"{tag}x", level="error")
    post(system, tag, level="info")
    post(system, tag, level="error", fields={"noisy": True})
    wanted = post(system, tag, level="error", fields={"noisy": False})

    assert [event.data["id"] for event in stream.take(1)] == [wanted]
    stream.hang_up()


def test_an_entry_from_the_past_that_arrives_now_is_live(system, tag):
    stream = Stream(system.url("broker"), name=tag, history="0")
    stream.until("live")

    stored = post(system, tag, timestamp="2020-02-29T12:00:00Z")

    assert [event.data["id"] for event in stream.take(1)] == [stored]
    stream.hang_up()


def test_a_second_write_of_the_same_id_is_no_second_event(system, tag):
    stream = Stream(system.url("broker"), name=tag, history="0")
    stream.until("live")
    for _ in range(3):
        requests.post(system.url("broker", "/api/v1/logs"), json={"id": tag, "name": tag, "data": ""}, timeout=10)

    last = post(system, tag)

    assert [event.data["id"] for event in stream.take(2)] == [tag, last]
    stream.hang_up()


def test_the_answer_is_one_that_no_proxy_keeps_and_a_console_may_read(system):
    origin = system.url("frontend").replace("127.0.0.1", "localhost")
    with requests.get(
        system.url("broker", PATH),
        headers={"Origin": origin, "X-Request-Id": "tail-request"},
        stream=True,
        timeout=20,
    ) as reply:
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Accel-Buffering"] == "no"
        assert reply.headers["X-Request-Id"] == "tail-request"
        assert reply.headers["Access-Control-Allow-Origin"] == origin


def test_wrong_parameters_are_named_by_the_log_store_in_the_gateways_answer(system):
    reply = requests.get(system.url("broker", PATH), params={"nam": "x", "history": "1001", "q": "lvl:x"}, timeout=20)

    assert reply.status_code == 422
    assert reply.headers["Content-Type"] == "application/problem+json"
    details = {error["pointer"]: error["detail"] for error in reply.json()["errors"]}
    assert set(details) == {"#/nam", "#/history", "#/q"}
    assert 'did you mean "name"?' in details["#/nam"]


@pytest.mark.parametrize("last_id", ["nonsense", "AWsBgciCawGByAAAAAErAiwBACluWhAEZ3Dhdz69", "%00"])
def test_an_id_that_never_was_one_is_refused(system, last_id):
    reply = requests.get(system.url("broker", PATH), headers={"Last-Event-ID": last_id}, timeout=20)

    assert reply.status_code == 400
    assert reply.json()["errors"] == [
        {"pointer": "#/Last-Event-ID", "detail": "is not the id of an event of this stream"}
    ]


def test_head_tells_what_get_would_be_and_opens_nothing(system):
    reply = requests.head(system.url("broker", PATH), timeout=20)

    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Type"].startswith("text/event-stream")


def test_readers_that_come_and_go_under_full_load_get_each_acknowledged_entry_once(system, tag, followers):
    with Writer(system.url("broker"), tag) as writer:
        end = time.monotonic() + 15
        while time.monotonic() < end:
            chance.choice(followers).drop()
            threading.Event().wait(chance.uniform(0.05, 0.4))

    _each_once(followers, writer)
    assert all(follower.connections > 5 for follower in followers)


@pytest.mark.timeout(240)
def test_readers_get_each_acknowledged_entry_once_though_log_store_and_database_are_killed(system, tag, followers):
    with Writer(system.url("broker"), tag) as writer:
        for part in ("logger", "mongo", "logger", "broker"):
            _wait_for_more(writer)
            killed = system.part(part)["pid"]
            system.kill(part)
            chance.choice(followers).drop()
            # ready is what it was, until the supervisor has seen that it is gone
            eventually(lambda part=part, killed=killed: system.part(part)["pid"] not in (killed, None), seconds=60)
            system.wait_ready(part, seconds=60)
        _wait_for_more(writer)

    _each_once(followers, writer, seconds=90)


def _wait_for_more(writer: Writer) -> None:
    before = len(writer.acknowledged)
    eventually(lambda: len(writer.acknowledged) > before + 3 * BATCH, seconds=60)


def _each_once(followers: list[Follower], writer: Writer, *, seconds: float = 60) -> None:
    for follower in followers:
        eventually(lambda follower=follower: len(ids(follower)) >= len(writer.acknowledged), seconds=seconds)
        assert ids(follower) == Counter(writer.acknowledged)
        assert [event.data for event in follower.events if event.name == "missed"] == []


def test_a_reader_that_stops_reading_hears_how_much_it_missed_and_where_that_is(system, tag):
    stream = Stream(system.url("broker"), receive_buffer=4096, name=tag, history="0")
    stream.until("live")
    with Writer(system.url("broker"), tag, padding=4_000) as writer:
        threading.Event().wait(15)
    last = post(system, tag)

    got, missed = [], []
    for event in stream.events():
        (missed if event.name == "missed" else got).append(event.data)
        if event.data.get("id") == last:
            break
    stream.hang_up()

    assert missed, "the writer was too slow to leave the reader behind"
    written = {*writer.acknowledged, last}
    seen = [entry["id"] for entry in got]
    assert len(seen) == len(set(seen))
    assert sum(each["count"] for each in missed) == len(written) - len(seen)
    found = {entry_id for each in missed for entry_id in _found(system, each["query"])}
    assert written - set(seen) <= found


def _found(system: System, query: str) -> list[str]:
    found, cursor = [], ""
    while True:
        reply = requests.get(
            system.url("broker", query), params={"limit": "1000", **({"cursor": cursor} if cursor else {})}, timeout=20
        )
        assert reply.status_code == 200, reply.text
        page = json.loads(reply.text)
        found += [entry["id"] for entry in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            return found
