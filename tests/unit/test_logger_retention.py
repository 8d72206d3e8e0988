from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from common.clock import FixedClock
from common.errors import InvalidError, UnavailableError
from logger.domain import Draft, accept, arrival
from logger.keeping.retention import SMALLEST_CAP, ArchiveError, Rules, read_rules, rules_as_json
from logger.keeping.sweep import EPOCH, PORTION, Candidate, Sweep
from logger.ports import Position

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Shelf:
    """Entries in a list, and what is asked of it."""

    def __init__(self) -> None:
        self.there: list[Candidate] = []
        self.bytes = 0
        self.walked = 0
        self.deletions: list[int] = []
        self.broken = False

    def add(self, age: timedelta, level: str = "INFO", *, kept: bool = False, size: int = 100) -> None:
        place = Position(NOW - age, f"{len(self.there):024x}")
        self.there = sorted([*self.there, Candidate(place, level, size, kept)])

    def levels(self) -> list[str]:
        return [each.level for each in self.there]

    def walk(self, after, until, limit):
        found = [each for each in self.there if each.place > after and each.place.created_at < until][:limit]
        self.walked += len(found)
        return found

    def entries(self, places):
        for each in self.there:
            if each.place in places:
                came = arrival("http", each.place.created_at)
                yield accept(Draft("name", "text", id=each.place.key, level=each.level), came)

    def delete(self, places):
        if self.broken:
            raise UnavailableError("away")
        doomed = [each for each in self.there if each.place in places]
        assert not any(each.kept for each in doomed)
        self.there = [each for each in self.there if each not in doomed]
        self.deletions.append(len(doomed))
        return len(doomed)

    def size(self):
        return self.bytes + sum(each.size for each in self.there)


class Kept:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def load(self) -> Rules:
        return self.rules


class Files:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.full = False

    def append(self, entries):
        if self.full:
            raise ArchiveError("no room")
        self.ids += [entry.id for entry in entries]


class Marks:
    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.noted: list[tuple[datetime, datetime, int]] = []

    def note_range(self, since, until):
        self.noted.append((since, until, len(self.shelf.there)))


def days(**ages: int) -> Rules:
    return Rules({level: days * DAY for level, days in ages.items()})


def sweep(shelf: Shelf, rules: Rules, **more) -> Sweep:
    return Sweep(Kept(rules), shelf, clock=FixedClock(NOW), **more)


def run(chore: Sweep) -> int:
    for steps in range(1, 1000):
        if not chore.step():
            return steps
    raise AssertionError("it does not come to an end")


def test_rules_are_read_with_aliases_and_every_level_is_told_again():
    rules = read_rules({"levels": {"debug": "36h", "WARN": "2w", "error": None}, "max_bytes": SMALLEST_CAP})

    assert rules == Rules({"DEBUG": timedelta(hours=36), "WARNING": 14 * DAY}, SMALLEST_CAP)
    told = rules_as_json(rules)
    assert told == {
        "levels": {"DEBUG": "36h", "INFO": None, "WARNING": "14d", "ERROR": None, "CRITICAL": None},
        "max_bytes": SMALLEST_CAP,
    }
    assert read_rules(told) == rules


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ([], "#"),
        ({"level": {}}, "#/level"),
        ({"levels": []}, "#/levels"),
        ({"levels": {"LOUD": "7d"}}, "#/levels/LOUD"),
        ({"levels": {"": "7d"}}, "#/levels/"),
        ({"levels": {"a/b": "7d"}}, "#/levels/a~1b"),
        ({"levels": {"WARN": "7d", "WARNING": "7d"}}, "#/levels/WARNING"),
        *[
            ({"levels": {"DEBUG": age}}, "#/levels/DEBUG")
            for age in ("", "7", "0d", "-1d", "7m", "1.5d", "7d ", "99999w", "٣d", 7, True, {"$gt": 1}, ["7d"])
        ],
        *[({"max_bytes": cap}, "#/max_bytes") for cap in (0, -1, SMALLEST_CAP - 1, 2**61, "1G", 2e9, True, {})],
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_at_its_place(value, pointer):
    with pytest.raises(InvalidError) as refused:
        read_rules(value)

    assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidError) as refused:
        read_rules({"levels": {"DEBUG": 1, "LOUD": "1d"}, "max_bytes": 1, "x": 1})

    assert len(refused.value.problems) == 4


def test_what_is_older_than_its_level_allows_goes_and_all_else_stays():
    shelf = Shelf()
    for level in ("DEBUG", "INFO", "ERROR"):
        for age in (1, 6, 8, 29, 31):
            shelf.add(age * DAY, level)

    run(sweep(shelf, days(DEBUG=7, INFO=30)))

    assert sorted(shelf.levels()) == ["DEBUG"] * 2 + ["ERROR"] * 5 + ["INFO"] * 4


def test_without_rules_nothing_is_even_looked_at():
    shelf = Shelf()
    shelf.add(1000 * DAY)

    assert run(sweep(shelf, Rules())) == 1
    assert (len(shelf.there), shelf.walked) == (1, 0)


def test_the_audit_trail_is_kept_by_age_and_by_size():
    shelf = Shelf()
    for age in (100, 50, 2):
        shelf.add(age * DAY, kept=True, size=10_000)
        shelf.add(age * DAY, size=10_000)

    run(sweep(shelf, Rules({"INFO": 30 * DAY}, max_bytes=1)))

    assert [each.kept for each in shelf.there] == [True] * 3


def test_entries_of_the_same_moment_are_all_found_in_portions():
    shelf = Shelf()
    for _ in range(PORTION * 2 + 5):
        shelf.add(40 * DAY)

    run(sweep(shelf, days(INFO=30)))

    assert shelf.there == []
    assert max(shelf.deletions) <= PORTION


def test_large_entries_go_a_few_at_a_time():
    shelf = Shelf()
    for _ in range(50):
        shelf.add(40 * DAY, size=1024 * 1024)

    run(sweep(shelf, days(INFO=30)))

    assert shelf.there == []
    assert max(shelf.deletions) <= 8


def test_what_was_looked_through_is_not_looked_through_again_within_a_day():
    shelf, clock = Shelf(), FixedClock(NOW)
    for age in range(10, 20):
        shelf.add(age * DAY, "INFO")
    chore = Sweep(Kept(days(DEBUG=7)), shelf, clock=clock)
    run(chore)
    seen = shelf.walked
    clock.moment = NOW + timedelta(minutes=1)
    run(chore)
    assert shelf.walked == seen

    shelf.add(15 * DAY, "DEBUG")  # an import brought it
    clock.moment = NOW + DAY
    run(chore)

    assert "DEBUG" not in shelf.levels()


def test_a_change_of_the_rules_counts_from_the_next_step_on():
    shelf = Shelf()
    shelf.add(8 * DAY, "DEBUG")
    rules = Kept(days(DEBUG=30))
    chore = Sweep(rules, shelf, clock=FixedClock(NOW))
    run(chore)
    assert shelf.levels() == ["DEBUG"]

    rules.rules = days(DEBUG=7)
    run(chore)

    assert shelf.levels() == []


def test_above_the_cap_the_oldest_go_whatever_their_level_and_no_more_than_needed():
    shelf = Shelf()
    for age, level in ((5, "ERROR"), (4, "DEBUG"), (3, "INFO"), (2, "DEBUG")):
        shelf.add(age * DAY, level, size=1000)

    run(sweep(shelf, Rules(max_bytes=2500)))

    assert shelf.levels() == ["INFO", "DEBUG"]


def test_a_cap_that_cannot_be_met_is_told_once(caplog):
    shelf = Shelf()
    shelf.bytes = 10_000
    shelf.add(timedelta(seconds=5), size=1000)
    chore = sweep(shelf, Rules(max_bytes=2500))

    for _ in range(3):
        run(chore)

    assert len(shelf.there) == 1
    assert [each.getMessage() for each in caplog.records] == ["size_cap_not_met"]


def test_entries_without_a_time_stay():
    shelf = Shelf()
    shelf.there.append(Candidate(Position(EPOCH - 700_000 * DAY, "0" * 24), "INFO", 1000, kept=False))

    run(sweep(shelf, Rules({"INFO": 30 * DAY}, max_bytes=1)))

    assert len(shelf.there) == 1


def test_the_blocks_are_told_before_and_after_of_just_the_range_that_goes():
    shelf = Shelf()
    for age in (50, 40, 1):
        shelf.add(age * DAY)
    marks = Marks(shelf)

    run(sweep(shelf, days(INFO=30), marks=marks))

    first, last = NOW - 50 * DAY, NOW - 40 * DAY + timedelta(milliseconds=1)
    assert marks.noted == [(first, last, 3), (first, last, 1)]


def test_what_goes_is_in_the_files_first_and_stays_when_they_cannot_be_written():
    shelf, files = Shelf(), Files()
    for age in (50, 40, 1):
        shelf.add(age * DAY)
    chore = sweep(shelf, days(INFO=30), archive=files)
    files.full = True
    with pytest.raises(ArchiveError):
        chore.step()
    assert len(shelf.there) == 3

    files.full = False
    run(chore)

    assert (len(shelf.there), len(files.ids)) == (1, 2)


def test_a_step_that_fails_is_done_again():
    shelf = Shelf()
    shelf.add(50 * DAY)
    chore = sweep(shelf, days(INFO=30))
    shelf.broken = True
    with pytest.raises(UnavailableError):
        chore.step()

    shelf.broken = False
    run(chore)

    assert shelf.there == []
