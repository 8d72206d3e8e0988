"""The store of the development mailbox: order, bounds, durability, search, waiting."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compose.mailbox import criteria, sql
from compose.mailbox.criteria import EVERYTHING
from compose.mailbox.message import Message
from compose.mailbox.store import Bounds, Store, StoreClosedError


def mail(subject: str = "Hi", *, to: str = "bob@example.com", body: str = "Hello", padding: int = 0) -> Message:
    source = f"From: Ann <ann@example.com>\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{body}{'x' * padding}\r\n"
    return Message(helo="client", sender="ann@example.com", recipients=(to,), data=source.encode())


def subjects(store: Store, wanted: criteria.Criteria = EVERYTHING) -> list[str]:
    return [summary.subject for summary in store.list_summaries(wanted, start=0, limit=100)[1]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "mail.db")
    yield opened
    opened.close()


def test_the_newest_mail_is_listed_first_and_pages_follow_each_other(store: Store):
    for name in ("one", "two", "three"):
        store.add(mail(name))

    total, page = store.list_summaries(EVERYTHING, start=1, limit=1)

    assert (total, [summary.subject for summary in page]) == (3, ["two"])


def test_a_page_beyond_the_end_is_empty_but_knows_the_total(store: Store):
    store.add(mail())

    assert store.list_summaries(EVERYTHING, start=10, limit=5) == (1, [])


def test_the_oldest_mails_go_when_there_are_too_many(tmp_path: Path):
    store = Store(tmp_path / "mail.db", bounds=Bounds(messages=2))

    for name in ("one", "two", "three"):
        store.add(mail(name))

    assert subjects(store) == ["three", "two"]
    store.close()


def test_the_oldest_mails_go_when_they_are_too_large_together_but_the_newest_always_stays(tmp_path: Path):
    store = Store(tmp_path / "mail.db", bounds=Bounds(size=1_000))

    store.add(mail("small"))
    store.add(mail("huge", padding=5_000))

    assert subjects(store) == ["huge"]
    store.close()


def test_mails_are_there_unchanged_after_the_store_was_opened_again(tmp_path: Path):
    original = Message(helo="h", sender="", recipients=("a@b",), data=b"Subject: \xff\xfe\r\n\r\n\x00\x80 raw")
    first = Store(tmp_path / "mail.db")
    first.add(original)
    first.close()

    again = Store(tmp_path / "mail.db")

    assert again.find(original.id) == original
    again.close()


def test_a_bound_counts_the_mails_of_an_earlier_run(tmp_path: Path):
    first = Store(tmp_path / "mail.db")
    for name in ("one", "two", "three"):
        first.add(mail(name))
    first.close()

    again = Store(tmp_path / "mail.db", bounds=Bounds(messages=3))
    again.add(mail("four"))

    assert subjects(again) == ["four", "three", "two"]
    again.close()


def test_a_mail_that_cannot_be_kept_leaves_nothing_behind(store: Store):
    kept = mail("kept")
    store.add(kept)

    with pytest.raises(sqlite3.IntegrityError):
        store.add(Message(helo="", sender="", recipients=(), data=b"Subject: twin\r\n\r\n", id=kept.id))

    store.add(mail("next"))
    assert subjects(store) == ["next", "kept"]


def test_a_failure_after_counting_does_not_make_the_bound_tighter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(tmp_path / "mail.db", bounds=Bounds(messages=2))
    store.add(mail("one"))
    store.add(mail("two"))
    with monkeypatch.context() as broken:
        broken.setattr(sql, "DELETE_OLDEST", "DELETE FROM missing")
        with pytest.raises(sqlite3.OperationalError):
            store.add(mail("lost"))

    store.add(mail("three"))

    assert subjects(store) == ["three", "two"]
    store.close()


def test_search_finds_words_in_any_case_and_script_in_decoded_text(store: Store):
    store.add(mail("=?utf-8?q?R=C3=89UNION?=", body="Budget"))
    store.add(mail("Other"))

    assert subjects(store, criteria.anywhere("réunion")) == ["RÉUNION"]
    assert subjects(store, criteria.containing("budGET")) == ["RÉUNION"]


def test_search_takes_every_character_literally(store: Store):
    store.add(mail("100% sure"))
    store.add(mail("100 times"))

    assert subjects(store, criteria.containing("100%")) == ["100% sure"]
    assert subjects(store, criteria.containing("' OR 1=1 --")) == []


def test_search_by_sender_does_not_look_at_recipients(store: Store):
    store.add(mail(to="only-a-recipient@example.com"))

    assert subjects(store, criteria.sent_by("only-a-recipient")) == []
    assert subjects(store, criteria.sent_to("only-a-recipient")) == ["Hi"]


def test_waiting_for_an_address_takes_the_whole_address_only(store: Store):
    store.add(mail("longer", to="jim-bob@example.com"))

    wanted = criteria.awaited(to="Bob@Example.com", subject="", message_id="")

    assert store.wait_for(wanted, timeout=0) is None
    store.add(mail("exact"))
    found = store.wait_for(wanted, timeout=0)
    assert found is not None
    assert b"Subject: exact" in found.data


def test_waiting_ends_as_soon_as_the_mail_arrives(store: Store):
    found: list[Message | None] = []
    wanted = criteria.awaited(to="", subject="expected", message_id="")
    waiter = threading.Thread(target=lambda: found.append(store.wait_for(wanted, timeout=30)))
    waiter.start()

    store.add(mail("something else"))
    store.add(mail("the expected one"))
    waiter.join(timeout=10)

    assert [message and message.data.count(b"the expected one") for message in found] == [1]


@pytest.mark.parametrize(
    "wait",
    [
        lambda store: store.wait_for(criteria.sent_to("nobody"), timeout=30),
        lambda store: store.wait_for_change(store.revision, timeout=30),
    ],
)
def test_closing_the_store_ends_every_wait_with_an_error(store: Store, wait: Callable[[Store], object]):
    with ThreadPoolExecutor(1) as background:
        waiting = background.submit(wait, store)
        while not (store._changed._waiters or waiting.done()):
            time.sleep(0.001)

        store.close()

        with pytest.raises(StoreClosedError):
            waiting.result(timeout=10)


def test_deleting_says_whether_there_was_something_to_delete_and_counts_as_a_change(store: Store):
    kept, gone = mail("kept"), mail("gone")
    store.add(kept)
    store.add(gone)
    before = store.revision

    assert store.delete(gone.id)
    assert not store.delete(gone.id)

    assert subjects(store) == ["kept"]
    assert store.wait_for_change(before, timeout=0) > before


def test_deleting_all_gives_the_disk_space_back(tmp_path: Path):
    path = tmp_path / "mail.db"
    store = Store(path)
    for _ in range(5):
        store.add(mail(padding=1_000_000))

    assert store.delete_all() == 5

    store.close()
    assert path.stat().st_size < 1_000_000
