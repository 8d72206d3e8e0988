from __future__ import annotations

import gzip
import itertools
import zlib
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from common.errors import UnavailableError
from logger.app import create_app
from logger.domain import Draft, accept, arrival
from logger.memory.store import MemoryLogStore
from logger.ports import Page
from logger.query.filters import Condition, Filter
from logger.settings import LoggerSettings
from logger.transfer import exports
from logger.transfer.exports import SIGN_OF_LIFE, Export, gzipped, line_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def entry(number: int, **members):
    came = arrival("http", NOW + timedelta(seconds=number))
    return accept(Draft(**{"name": "n", "data": f"text {number}", "id": f"id-{number}", **members}), came)


@pytest.fixture
def store():
    store = MemoryLogStore()
    store.insert([entry(number, name="odd" if number % 2 else "even") for number in range(1200)])
    return store


@pytest.fixture
def client(store):
    return create_app(LoggerSettings(logger_rpc_port=21905, logger_grpc_port=21906), store=store).test_client()


def exported(store, wanted: Filter | None = None) -> tuple[list[dict], dict]:
    export = Export(store, wanted or Filter())
    export.begin()
    *lines, last = b"".join(export.pieces()).splitlines()
    return [orjson.loads(line) for line in lines if line], orjson.loads(last)["export"]


def test_an_export_is_all_that_matches_oldest_first_and_says_so(store):
    lines, told = exported(store, Filter(conditions=(Condition("name", ("odd",)),)))

    assert [line["data"] for line in lines] == [f"text {number}" for number in range(1, 1200, 2)]
    assert told == {"entries": 600, "complete": True}


def test_a_line_is_what_the_entry_reads_by_its_id(client, store):
    store.insert([entry(7, id="x", fields={"a": [1, None]}, level="error", span_id="00f067aa0ba902b7")])

    line = orjson.loads(line_of(store.find("x")))

    assert line == client.get("/api/v1/logs/x").json


def test_nothing_is_an_export_as_well():
    assert exported(MemoryLogStore()) == ([], {"entries": 0, "complete": True})


def test_it_ends_where_the_newest_entry_was_when_it_began(store):
    export = Export(store, Filter())
    export.begin()
    pieces = export.pieces()
    next(pieces)
    store.insert([entry(5000), entry(5001)])

    rest = b"".join(pieces)

    assert orjson.loads(rest.splitlines()[-1]) == {"export": {"entries": 1200, "complete": True}}


class Failing:
    """A reader that is away after so many pages, for so many questions."""

    def __init__(self, store: MemoryLogStore, pages: int, failures: int = 1000) -> None:
        self.store, self.pages, self.failures = store, pages, failures

    def page(self, question):
        self.pages -= 1
        if self.pages < 0 and self.failures:
            self.failures -= 1
            raise UnavailableError("the log store's database cannot be used now")
        return self.store.page(question)


def test_a_database_that_is_away_for_a_moment_ends_no_export(store, monkeypatch):
    monkeypatch.setattr(exports, "PAUSE_SECONDS", 0.0)

    lines, told = exported(Failing(store, 2, failures=3))

    assert (len(lines), told) == (1200, {"entries": 1200, "complete": True})


def test_an_export_that_breaks_off_says_how_far_it_came(store, monkeypatch):
    monkeypatch.setattr(exports, "PAUSE_SECONDS", 0.0)
    lines, told = exported(Failing(store, 3))

    assert told == {
        "entries": 1000,
        "complete": False,
        "reason": "the log store's database cannot be used now",
        "until": lines[-1]["created_at"],
    }
    assert len(lines) == 1000


def test_it_ends_early_when_it_is_told_to(store):
    export = Export(store, Filter())
    export.begin()

    lines = b"".join(export.pieces(lambda: True)).splitlines()

    assert orjson.loads(lines[-1])["export"]["complete"] is False
    assert len(lines) == 501


def test_who_waits_for_a_rare_entry_sees_that_the_search_goes_on(monkeypatch):
    class Slow:
        pages = 0

        def page(self, question):
            self.pages += 1
            return Page([], None if self.pages > 4 else ("somewhere", "x"), complete=False)

    monkeypatch.setattr(exports, "SILENCE_SECONDS", 0.0)
    export = Export(Slow(), Filter())

    pieces = list(export.pieces())

    assert pieces[:-1] == [SIGN_OF_LIFE] * 5
    unpacked = zlib.decompressobj(16 + zlib.MAX_WBITS)
    packed = gzipped(iter(pieces))
    assert [unpacked.decompress(next(packed)) for _ in range(5)] == [SIGN_OF_LIFE] * 5


def test_a_packed_export_that_finds_little_is_never_silent_for_long(monkeypatch):
    now = 0.0
    monkeypatch.setattr(exports.time, "monotonic", lambda: now)
    unpacked = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def pieces():
        nonlocal now
        for number in range(60):
            now = float(number)
            # too often for a sign of life, and far less than what makes the packer write
            yield line_of(entry(number)) if number % 5 == 0 else b""

    came = [(now, unpacked.decompress(packed)) for packed in gzipped(pieces()) if packed]

    silences = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(came)]
    assert max(silences) <= exports.SILENCE_SECONDS
    assert b"".join(text for _, text in came) == b"".join(line_of(entry(number)) for number in range(0, 60, 5))


def test_the_door_takes_the_filter_of_every_other_question_and_refuses_what_it_does_not_know(client):
    reply = client.get("/api/v1/logs/export?name=odd&since=2026-11-21T12:19:00Z")
    assert (reply.status_code, reply.mimetype) == (200, "application/x-ndjson")
    assert reply.data.count(b"\n") == 31

    refused = client.get("/api/v1/logs/export?limit=5&nam=odd")
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json["errors"]] == ["#/limit", "#/nam"]


def test_it_is_packed_when_the_client_reads_gzip(client):
    plain = client.get("/api/v1/logs/export")
    packed = client.get("/api/v1/logs/export", headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.5"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in plain.headers
    assert client.get("/api/v1/logs/export", headers={"Accept-Encoding": "gzip;q=0"}).data == plain.data


def test_two_exports_at_a_time_are_enough_and_one_that_is_left_makes_room(client):
    open_ones = [client.get("/api/v1/logs/export", buffered=False) for _ in range(2)]

    refused = client.get("/api/v1/logs/export")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")

    open_ones[0].close()
    assert client.get("/api/v1/logs/export").status_code == 200
    open_ones[1].close()


def test_asking_for_the_head_alone_leaves_the_room_as_it_was(client):
    for _ in range(5):
        assert client.head("/api/v1/logs/export").status_code == 200


def test_a_store_that_is_away_is_told_with_a_status():
    export = Export(Failing(MemoryLogStore(), 0), Filter())

    with pytest.raises(UnavailableError):
        export.begin()


def test_the_rules_of_retention_are_read_and_replaced_as_a_whole(client):
    rules = {"levels": {"DEBUG": "7d"}, "max_bytes": 2**30}

    changed = client.put("/api/v1/logs/retention", json=rules)
    assert changed.json == client.get("/api/v1/logs/retention").json
    assert (changed.json["levels"]["DEBUG"], changed.json["levels"]["INFO"], changed.json["max_bytes"]) == (
        "7d",
        None,
        2**30,
    )

    refused = client.put("/api/v1/logs/retention", json={"levels": {"DEBUG": "7 days"}})
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "#/levels/DEBUG")
    assert client.get("/api/v1/logs/retention").json == changed.json

    assert client.put("/api/v1/logs/retention", json={}).json["max_bytes"] is None
