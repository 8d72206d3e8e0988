"""The live tail over the store in memory, and the parts that need no store: places, and the queue of a reader."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import FixedClock
from common.errors import MalformedError, TooManyError, UnavailableError
from common.ids import new_record_id
from logger.domain import LogEntry
from logger.memory.changes import MemoryChangeLog
from logger.memory.store import MemoryLogStore
from logger.ports import Position
from logger.query.filters import Condition, Filter
from logger.tailing import feed as feed_module
from logger.tailing.changes import Batch, Change, ChangeStream, GoneError
from logger.tailing.feed import MAX_BEHIND_BYTES, MAX_BEHIND_ENTRIES, MAX_BEHIND_SECONDS, Feed, Subscription
from logger.tailing.places import Live, Moment, Past, opened, sealed
from logger.tailing.tail import Caught, Entries, Idle, Missed, Reading, Signal, Tail
from tests.waiting import eventually

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALL = Filter()


def entry(name: str, created: datetime = NOON) -> LogEntry:
    return LogEntry(new_record_id(), name, "text", "INFO", "", "http", "", "", created, created)


def change(number: int, *, size: int = 1) -> Change:
    return Change(entry(str(number), NOON + timedelta(seconds=number)), live(number), size)


def live(number: int) -> Live:
    return Live(f"{number:016X}", number)


class Store(MemoryLogStore):
    def add(self, *names: str, created: datetime = NOON) -> None:
        self.insert([entry(name, created) for name in names])


class Faulty(MemoryChangeLog):
    """Fails as often as it is told, whoever asks."""

    def __init__(self, store: MemoryLogStore) -> None:
        super().__init__(store)
        self.faults: list[Exception] = []
        self.opened: list[object] = []

    def follow(self, place):
        self.opened.append(place)
        if self.faults:
            raise self.faults.pop(0)
        return super().follow(place)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def changes(store: Store) -> Faulty:
    return Faulty(store)


@pytest.fixture
def feed(changes: Faulty) -> Iterator[Feed]:
    feed = Feed(changes)
    yield feed
    feed.stop()
    eventually(lambda: not any(thread.name == "feed" for thread in threading.enumerate()))


@pytest.fixture
def tail(changes: Faulty, feed: Feed) -> Tail:
    return Tail(changes, feed, FixedClock(NOON), streams=3)


class Reader:
    """Reads the signals of one stream and remembers where it was after each entry."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.signals = iter(reading)
        self.names: list[str] = []
        self.ids: list[str] = []

    def until(self, kind: type[Signal]) -> Signal:
        for signal in self.signals:
            if isinstance(signal, Entries):
                self.names += [change.entry.name for change in signal.changes]
                self.ids += [sealed(change.place) for change in signal.changes]
            if isinstance(signal, kind):
                return signal
        raise AssertionError("the stream ended")

    def take(self, count: int) -> list[str]:
        while len(self.names) < count:
            self.until(Entries)
        return self.names


@pytest.fixture
def read(tail: Tail) -> Iterator:
    opened_here: list[Reading] = []

    def begin(wanted: Filter = ALL, *, history: int = 100, last_id: str = "") -> Reader:
        reading = tail.open(wanted, history=history, last_id=last_id)
        opened_here.append(reading)
        return Reader(reading)

    yield begin
    for reading in opened_here:
        reading.close()


def test_the_newest_that_were_there_come_oldest_first_and_then_what_is_stored(store, read):
    store.add("a", "b", "c")
    reader = read(history=2)
    reader.until(Caught)

    store.add("d")

    assert reader.take(3) == ["b", "c", "d"]


def test_without_a_history_only_what_is_stored_from_then_on_comes(store, read):
    store.add("before")
    reader = read(history=0)

    store.add("after")

    assert reader.take(1) == ["after"]


def test_what_is_stored_between_the_history_and_the_live_part_comes_once(store, read):
    store.add("a")
    reader = read()
    store.add("b")
    assert reader.take(1) == ["a"]
    store.add("c")

    reader.until(Caught)
    store.add("d")

    assert reader.take(4) == ["a", "b", "c", "d"]


def test_an_entry_with_an_old_time_that_arrives_now_is_live(store, read):
    store.add("new")
    reader = read()
    reader.until(Caught)

    store.add("late", created=NOON - timedelta(days=365))

    assert reader.take(2) == ["new", "late"]


def test_a_reader_is_given_what_matches_in_the_history_and_live(store, read):
    wanted = Filter(conditions=(Condition("name", ("yes",)),))
    store.add("yes", "no")
    reader = read(wanted)
    reader.until(Caught)

    store.add("no", "yes")

    assert reader.take(2) == ["yes", "yes"]


def test_a_reader_that_comes_back_gets_what_it_missed_and_no_history(store, read):
    store.add("a")
    first = read()
    first.until(Caught)
    store.add("b", "c")
    first.take(3)
    first.reading.close()
    store.add("d")

    again = read(last_id=first.ids[1])

    assert again.take(2) == ["c", "d"]


def test_a_reader_that_broke_off_in_the_middle_of_the_history_gets_the_rest_of_it(store, read):
    for number in range(5):
        store.add(str(number), created=NOON + timedelta(seconds=number))
    first = read()
    first.take(2)
    first.reading.close()
    store.add("later", created=NOON - timedelta(days=1))

    again = read(last_id=first.ids[1])

    assert again.take(4) == ["2", "3", "4", "later"]


def test_a_reader_at_any_of_its_events_can_come_back_there(store, read):
    for number in range(4):
        store.add(str(number), created=NOON + timedelta(seconds=number))
    whole = read()
    whole.until(Caught)
    store.add("4", "5")
    names = whole.take(6)
    for index, last_id in enumerate(whole.ids[:-1]):
        again = read(last_id=last_id)
        assert again.take(5 - index) == names[index + 1 :]
        again.reading.close()


def test_one_reading_of_the_store_serves_all_readers(store, changes, read):
    readers = [read(history=0) for _ in range(3)]
    for reader in readers:
        reader.until(Caught)
    before = len(changes.opened)

    store.add(*map(str, range(500)))

    assert [reader.take(500) for reader in readers] == [list(map(str, range(500)))] * 3
    # one of each reader's own until it was there, and the one they share
    assert (before, len(changes.opened)) == (4, 4)


def test_nothing_is_read_when_nobody_follows(store, feed, read):
    reader = read(history=0)
    reader.until(Caught)
    assert len(feed) == 1

    reader.reading.close()

    assert len(feed) == 0
    eventually(lambda: not any(thread.name == "feed" for thread in threading.enumerate()))


class SlowToClose:
    """A stream that closes no sooner than it is let go."""

    def __init__(self, stream: ChangeStream, go: threading.Event) -> None:
        self.stream = stream
        self.go = go
        self.closing = threading.Event()

    def read(self, wait: float) -> Batch:
        return self.stream.read(min(wait, 0.01))

    def close(self) -> None:
        self.closing.set()
        self.go.wait(15)
        self.stream.close()


class Slow(MemoryChangeLog):
    def __init__(self, store: MemoryLogStore) -> None:
        super().__init__(store)
        self.go = threading.Event()
        self.streams: list[SlowToClose] = []

    def follow(self, place):
        self.streams.append(SlowToClose(super().follow(place), self.go))
        return self.streams[-1]


def test_who_joins_while_the_feed_closes_its_stream_is_offered_each_entry_once(store):
    slow = Slow(store)
    feed = Feed(slow)
    try:
        first = feed.join(ALL)
        eventually(lambda: first.start, every=0.001)
        feed.leave(first)
        assert slow.streams[0].closing.wait(15)

        second = feed.join(ALL)
        slow.go.set()
        eventually(lambda: second.start, every=0.001)
        names = [str(number) for number in range(20)]
        for name in names:
            store.add(name)
            eventually(lambda name=name: second._queue and second._queue[-1][1].entry.name == name, every=0.001)

        assert [each.entry.name for each in second.take(0).changes] == names
        assert [thread.name for thread in threading.enumerate()].count("feed") == 1
    finally:
        slow.go.set()
        feed.stop()


def test_more_readers_than_there_is_room_for_are_told_when_to_come_back(tail, read):
    readers = [read(history=0) for _ in range(3)]
    with pytest.raises(TooManyError) as refused:
        tail.open(ALL, history=0)
    assert refused.value.retry_after

    readers[0].reading.close()
    readers[0].reading.close()

    tail.open(ALL, history=0).close()


def test_a_reader_that_cannot_begin_takes_no_room(changes, tail):
    for _ in range(5):
        changes.faults.append(UnavailableError("away"))
        with pytest.raises(UnavailableError):
            tail.open(ALL, history=0)

    tail.open(ALL, history=0).close()


def test_a_store_that_goes_away_while_a_reader_catches_up_costs_no_entry(store, changes, read):
    store.add("a")
    reader = read()
    changes.faults += [UnavailableError("away")] * 2
    assert isinstance(reader.until(Idle), Idle)
    store.add("b")

    assert reader.take(2) == ["a", "b"]


def test_who_comes_back_with_a_place_that_is_forgotten_is_told_so_and_begins_anew(store, changes, read):
    store.add("a")
    changes.faults.append(GoneError())

    reader = read(last_id=sealed(live(int(NOON.timestamp()) - 60)))
    missed = reader.until(Missed)

    assert missed == Missed(None, NOON - timedelta(seconds=90), NOON)
    assert isinstance(reader.until(Caught), Caught)
    assert reader.names == ["a"]


def test_an_entry_created_somewhat_before_the_lost_place_and_stored_behind_it_is_in_what_was_missed(
    store, changes, read
):
    place = live(int(NOON.timestamp()) - 60)
    store.add("missed", created=place.time - timedelta(seconds=5))
    changes.faults.append(GoneError())

    missed = read(history=0, last_id=sealed(place)).until(Missed)

    assert isinstance(missed, Missed)
    assert Filter(since=missed.since, until=missed.until).matches(store.stored(0)[0])


def test_when_the_feed_loses_its_place_each_reader_goes_on_from_its_own(store, changes, feed, read):
    reader = read()
    reader.until(Caught)
    store.add("a")
    reader.take(1)

    feed._lose(None)
    store.add("b")

    assert reader.take(2) == ["a", "b"]


def test_a_feed_that_fails_for_a_reason_of_its_own_does_not_leave_its_readers_waiting(
    store, changes, read, monkeypatch
):
    reader = read()
    reader.until(Caught)
    monkeypatch.setattr(feed_module.Subscription, "offer", _raise_once(feed_module.Subscription.offer))

    store.add("a")

    assert reader.take(1) == ["a"]


def _raise_once(offer):
    raised = []

    def once(self, batch):
        if batch.changes and not raised:
            raised.append(batch)
            raise ZeroDivisionError
        offer(self, batch)

    return once


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Subscription:
    queue = Subscription(ALL, clock=clock)
    queue.begin(live(0))
    return queue


def offer(queue: Subscription, first: int, last: int, *, size: int = 1) -> None:
    queue.offer(Batch([change(number, size=size) for number in range(first, last + 1)], live(last), more=False))


def test_a_reader_too_many_entries_behind_is_told_how_many_it_missed_and_when_they_were_created(queue):
    offer(queue, 1, MAX_BEHIND_ENTRIES + 1)
    offer(queue, MAX_BEHIND_ENTRIES + 2, MAX_BEHIND_ENTRIES + 3)

    skipped, rest, place = queue.take(0)

    assert skipped is not None
    assert skipped.number == MAX_BEHIND_ENTRIES + 1
    assert (skipped.first, skipped.last) == (
        NOON + timedelta(seconds=1),
        NOON + timedelta(seconds=MAX_BEHIND_ENTRIES + 1),
    )
    assert skipped.end == live(MAX_BEHIND_ENTRIES + 1)
    assert [each.entry.name for each in rest] == [str(MAX_BEHIND_ENTRIES + 2), str(MAX_BEHIND_ENTRIES + 3)]
    assert place == live(MAX_BEHIND_ENTRIES + 3)


def test_a_reader_too_many_bytes_behind_misses_them(queue):
    offer(queue, 1, 5, size=1024 * 1024)

    skipped, rest, _ = queue.take(0)

    assert (skipped and skipped.number, rest) == (5, [])


def test_a_reader_too_long_behind_misses_what_it_did_not_take(queue, clock):
    offer(queue, 1, 3)
    clock.now = MAX_BEHIND_SECONDS + 1
    offer(queue, 4, 4)
    clock.now += MAX_BEHIND_SECONDS + 1
    offer(queue, 5, 6)
    offer(queue, 7, 9)
    clock.now += MAX_BEHIND_SECONDS + 1
    offer(queue, 10, 10)
    offer(queue, 11, 11)

    skipped, rest, _ = queue.take(0)

    assert skipped is not None
    assert (skipped.number, skipped.end) == (10, live(10))
    assert [each.entry.name for each in rest] == ["11"]


def test_a_reader_that_takes_in_time_misses_nothing(queue, clock):
    got = []
    for number in range(1, 2 * MAX_BEHIND_ENTRIES):
        offer(queue, number, number)
        clock.now += MAX_BEHIND_SECONDS / 4
        if number % 3 == 0:
            skipped, some, _ = queue.take(0)
            assert skipped is None
            got += [each.entry.name for each in some]

    assert got[:5] == ["1", "2", "3", "4", "5"]
    assert len(got) == 2 * MAX_BEHIND_ENTRIES - 1


@given(seconds=st.integers(0, 2**32 - 1), token=st.binary(min_size=1, max_size=200))
def test_a_live_place_survives_as_an_id(seconds, token):
    place = Live(token.hex().upper(), seconds)

    assert opened(sealed(place)) == place


@given(
    created=st.datetimes(timezones=st.just(UTC)),
    moment=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 2)),
    key=st.binary(min_size=12, max_size=12),
)
def test_a_place_in_the_history_survives_as_an_id(created, moment, key):
    created = created.replace(microsecond=created.microsecond // 1000 * 1000)
    place = Past(Moment(*moment), Position(created, key.hex()))

    assert opened(sealed(place)) == place


@given(text=st.text(max_size=60))
def test_whatever_is_no_id_is_refused_in_the_same_words(text):
    with pytest.raises(MalformedError, match="Last-Event-ID: is not the id of an event of this stream"):
        opened(text)


def test_an_id_made_up_at_the_end_of_a_second_behind_which_nothing_can_begin_is_refused():
    place = Past(Moment(int(NOON.timestamp()), 2**32 - 1), Position(NOON, new_record_id()))

    with pytest.raises(MalformedError, match="Last-Event-ID: is not the id of an event of this stream"):
        opened(sealed(place))


def test_an_id_with_one_character_changed_is_refused():
    whole = sealed(live(7))
    for index in range(len(whole) - 1):
        other = "A" if whole[index] != "A" else "B"
        with pytest.raises(MalformedError):
            opened(whole[:index] + other + whole[index + 1 :])


def test_a_reader_with_nothing_to_read_hears_so_every_second(read):
    reader = read(history=0)
    reader.until(Caught)

    assert isinstance(next(reader.signals), Idle)


class Script:
    """A log whose stream gives just these batches, and a feed that begins and holds just what it is told."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = list(batches)
        self.followed: list[object] = []
        self.subscription = Subscription(ALL)
        # of who joins again
        self.following = Subscription(ALL)

    def follow(self, place):
        self.followed.append(place)
        return self

    def read(self, wait: float) -> Batch:
        return self.batches.pop(0)

    def join(self, wanted: Filter) -> Subscription:
        return self.subscription

    def leave(self, subscription: Subscription) -> None:
        self.subscription = self.following

    def close(self) -> None: ...

    def tail(self) -> Tail:
        return Tail(self, self, FixedClock(NOON), streams=1)


def batch(*numbers: int, upto: int, more: bool = False) -> Batch:
    return Batch([change(number) for number in numbers], live(upto), more)


def test_what_both_the_own_stream_and_the_feed_have_comes_once():
    script = Script(batch(1, upto=1), batch(2, 3, upto=3))
    script.subscription.begin(live(2))
    script.subscription.offer(batch(3, 4, upto=4))
    reader = Reader(script.tail().open(ALL, history=0))

    assert reader.take(4) == ["1", "2", "3", "4"]


def test_the_own_stream_goes_on_until_it_has_come_as_far_as_the_feed_began():
    script = Script(batch(1, upto=1, more=True), batch(2, upto=2), batch(upto=2), batch(3, upto=3), batch(4, upto=5))
    script.subscription.begin(live(4))
    script.subscription.offer(batch(5, upto=6))
    script.subscription.offer(batch(7, upto=7))
    reader = Reader(script.tail().open(ALL, history=0))

    assert reader.take(5) == ["1", "2", "3", "4", "7"]
    assert script.batches == []


def test_a_reader_whose_feed_is_cut_off_goes_on_behind_the_last_entry_that_it_was_given():
    script = Script(batch(1, upto=1), batch(upto=1), batch(2, 3, upto=3), batch(upto=3))
    script.subscription.begin(live(1))
    reader = Reader(script.tail().open(ALL, history=0))
    reader.until(Caught)
    script.subscription.offer(batch(2, upto=2))
    script.subscription.end()
    script.following.begin(live(3))

    assert reader.take(3) == ["1", "2", "3"]
    assert script.followed == [None, live(1)]


def test_what_is_skipped_leaves_the_reader_behind_it():
    script = Script(batch(upto=0), batch(upto=0))
    script.subscription.begin(live(0))
    reader = Reader(script.tail().open(ALL, history=0))
    reader.until(Caught)
    offer(script.subscription, 1, MAX_BEHIND_ENTRIES + 1)

    missed = reader.until(Missed)

    assert isinstance(missed, Missed)
    assert (missed.number, missed.place) == (MAX_BEHIND_ENTRIES + 1, live(MAX_BEHIND_ENTRIES + 1))
    assert missed.since == NOON + timedelta(seconds=1)
    assert missed.until == NOON + timedelta(seconds=MAX_BEHIND_ENTRIES + 1, milliseconds=1)


def late(script: Script, clock: Clock, began: int) -> Subscription:
    """A subscription of the script whose first entry is too old as soon as the second batch comes."""
    script.subscription = Subscription(ALL, clock=clock)
    script.subscription.begin(live(began))
    script.subscription.offer(batch(began + 1, upto=began + 1))
    clock.now = MAX_BEHIND_SECONDS + 1
    return script.subscription


def test_what_is_skipped_but_was_given_by_the_own_stream_is_not_missed(clock):
    script = Script(batch(1, upto=1), batch(*range(2, 9), upto=8))
    queue = late(script, clock, 4)
    queue.offer(batch(6, 7, upto=7))
    reader = Reader(script.tail().open(ALL, history=0))

    reader.until(Caught)
    signal = next(reader.signals)
    queue.offer(batch(8, 9, upto=9))

    assert signal == Idle(live(8))
    assert reader.take(9) == list(map(str, range(1, 10)))


def test_the_number_of_what_is_skipped_is_unknown_when_a_part_of_it_was_given_by_the_own_stream(clock):
    script = Script(batch(1, upto=1), batch(*range(2, 9), upto=8))
    queue = late(script, clock, 4)
    queue.offer(batch(*range(6, 11), upto=11))
    queue.offer(batch(12, upto=12))
    reader = Reader(script.tail().open(ALL, history=0))

    missed = reader.until(Missed)

    assert missed == Missed(None, NOON + timedelta(seconds=5), NOON + timedelta(seconds=10, milliseconds=1), live(10))
    assert reader.take(9) == [*map(str, range(1, 9)), "12"]


def test_the_last_moment_of_time_can_be_missed():
    last = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
    script = Script(batch(upto=0), batch(upto=0))
    script.subscription.begin(live(0))
    reader = Reader(script.tail().open(ALL, history=0))
    reader.until(Caught)
    script.subscription.offer(Batch([Change(entry("end", last), live(1), MAX_BEHIND_BYTES + 1)], live(1), more=False))

    missed = reader.until(Missed)

    assert isinstance(missed, Missed)
    assert (missed.number, missed.since, missed.until) == (1, last, last)
