"""Sealing on a real MongoDB: every audit entry gets one link, whoever writes, dies or seals at the same time; and no rule deletes it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.errors import DuplicateKeyError

from common.clock import SystemClock
from logger.audit import seal
from logger.keeping.retention import Rules
from logger.keeping.sweep import Sweep
from logger.mongo.audit_trail import document_of, link_of
from logger.mongo.reader import MongoLogReader
from logger.mongo.retention import MongoShelf
from logger.ports import Position, Question
from logger.query.filters import Condition, Filter
from tests.audit import Trail, audited, key, own_trail, where
from tests.system import ROOT


@pytest.fixture
def trail(system) -> Iterator[Trail]:
    with own_trail(system) as opened:
        yield opened


def test_entries_of_no_category_are_neither_marked_nor_linked(trail):
    trail.store.insert([audited("plain", category="")])
    trail.seal("a")

    assert not {"category", "unsealed"} & trail.logs.find_one(where("plain")).keys()
    assert [str(each["entry"]) for each in trail.links()] == [key("a")]


def test_an_id_that_comes_again_changes_nothing(trail):
    trail.seal(*"abc")
    before = list(trail.logs.find(sort=[("_id", 1)]))

    assert trail.store.insert([audited("b", data="other"), audited("c", category="")]) == [False, False]
    trail.seal()

    assert list(trail.logs.find(sort=[("_id", 1)])) == before
    assert trail.fault() is None


def test_retention_deletes_no_audit_entry_by_age_or_by_size(trail):
    old = "2020-01-01T00:00:00Z"
    trail.store.insert([audited(f"old-{each}", timestamp=old) for each in range(5)])
    trail.store.insert([audited(f"plain-{each}", timestamp=old, category="") for each in range(5)])
    trail.seal()

    class Everything:
        def load(self) -> Rules:
            return Rules({level: timedelta(hours=1) for level in ("DEBUG", "INFO", "WARNING", "ERROR")}, max_bytes=1)

    sweep = Sweep(Everything(), MongoShelf(trail.client), clock=SystemClock())
    while sweep.step():
        pass

    assert {each["event_id"] for each in trail.logs.find()} == {f"old-{each}" for each in range(5)}
    shelf = MongoShelf(trail.client)
    found = shelf.walk(Position(datetime(2019, 1, 1, tzinfo=UTC), "0" * 24), datetime(2021, 1, 1, tzinfo=UTC), 100)
    assert [each.kept for each in found] == [True] * 5
    assert shelf.delete([each.place for each in found]) == 0
    assert trail.fault() is None


def test_audit_entries_are_found_by_their_category(trail):
    trail.store.insert([audited(f"{each}", category="audit" if each % 5 == 0 else "") for each in range(50)])
    found = {}
    for negated in (False, True):
        wanted = Filter(conditions=(Condition("category", ("audit",), negated),))
        found[negated] = {entry.id for entry in MongoLogReader(trail.client).page(Question(wanted, limit=100)).entries}

    assert found[False] == {f"{each}" for each in range(0, 50, 5)}
    assert found[True] == {f"{each}" for each in range(50)} - found[False]


def test_ten_thousand_entries_of_many_writers_are_sealed_exactly_once_by_two_keepers_at_the_same_time(trail):
    over = threading.Event()

    def write(writer: int) -> None:
        for portion in range(10):
            entries = [audited(f"{writer}-{portion}-{each}") for each in range(50)]
            ordinary = [audited(f"{writer}-{portion}-{each}-plain", category="") for each in range(50)]
            trail.store.insert(entries + ordinary)

    def keep(sealer) -> None:
        while not over.is_set() or sealer.step():
            sealer.step()

    with ThreadPoolExecutor(22) as pool:
        keepers = [pool.submit(keep, trail.new_sealer(portion=70)) for _ in range(2)]
        writers = [pool.submit(write, writer) for writer in range(20)]
        for each in writers:
            each.result()
        over.set()
        for each in keepers:
            each.result()
    trail.seal()

    links = trail.links()
    expected = {key(f"{w}-{p}-{each}") for w in range(20) for p in range(10) for each in range(50)}
    assert len(links) == len(expected) == 10_000
    assert {str(each["entry"]) for each in links} == expected
    assert trail.logs.count_documents({"unsealed": {"$exists": True}}) == 0
    heads, fault = trail.verify()
    assert (fault, sum(head.count for head in heads)) == (None, 10_000)


# What a keeper does that is killed there: it gets the sealer `it`, and where to die.
KILLED = """
import os, signal, sys
from common.mongo import create_mongo
from logger.mongo.sealing import AuditSealer
from tests.audit import HandClock

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

it = AuditSealer(create_mongo(sys.argv[1], app_name="test").get_default_database(), HandClock())
{where}
it.step()
"""
BEFORE_LINKS = "it._append = die"
AMONG_LINKS = """
class Half:
    def __init__(self, chain): self.chain = chain
    def __getattr__(self, name): return getattr(self.chain, name)
    def insert_many(self, links, ordered): self.chain.insert_many(list(links)[:2], ordered=ordered); die()
it._chain = Half(it._chain)
"""
BEFORE_MARKS = "it._unmark = die"
AMONG_MARKS = "whole = it._unmark; it._unmark = lambda keys: (whole(keys[:1]), die())"


@pytest.mark.parametrize(
    ("place", "links", "marks"), [(BEFORE_LINKS, 3, 3), (AMONG_LINKS, 5, 3), (BEFORE_MARKS, 6, 3), (AMONG_MARKS, 6, 2)]
)
def test_a_keeper_that_is_killed_between_its_steps_leaves_nothing_out_and_nothing_twice(trail, place, links, marks):
    trail.seal(*"abc")
    trail.record(*"def")

    done = subprocess.run(
        [sys.executable, "-c", KILLED.replace("{where}", place), trail.url], cwd=ROOT, check=False, timeout=60
    )

    assert done.returncode == -9
    assert trail.chain.count_documents({}) == links
    assert trail.logs.count_documents({"unsealed": {"$exists": True}}) == marks
    assert trail.fault() is None
    trail.sealer = trail.new_sealer()
    trail.seal(*"gh")
    assert [str(each["entry"]) for each in trail.links()] == [key(each) for each in "abcdefgh"]
    assert trail.logs.count_documents({"unsealed": {"$exists": True}}) == 0
    assert trail.fault() is None


def test_a_keeper_that_was_held_up_cannot_put_a_second_link_behind_the_same_one(trail):
    trail.seal("a")
    (last,) = map(link_of, trail.links())
    trail.seal("b", day="2026-11-22")

    (late,) = seal(last, "2026-11-21", [(key("late"), "1" * 64)])
    with pytest.raises(DuplicateKeyError):
        trail.chain.insert_one(document_of(late))
