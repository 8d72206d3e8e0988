"""Carries out the rules of retention: a chore of the keeper that deletes old entries in small portions, oldest first.

An entry goes when it is older than its level allows, or when all entries together are larger than allowed: then the oldest go first,
whatever their level, so that it can always be said from when on everything is there. Before they go they can be written to files.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from common.clock import Clock
from logger.domain import LogEntry
from logger.keeping.retention import Rules
from logger.ports import Position

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
# Of one step: so many entries are looked at, and so many bytes deleted.
PORTION = 2_000
PORTION_BYTES = 8 * 1024 * 1024
# Entries may come with old times, by an import for instance; so often everything is looked through for them.
WHOLE = timedelta(days=1)
# The size never takes what is younger: it may still be on its way to readers.
YOUNGEST = timedelta(minutes=1)

# Entries without a time count as older than this, and stay.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_LOWEST = "0" * 24
_START = Position(EPOCH, _LOWEST)


class Candidate(NamedTuple):
    """What the sweep knows of an entry. `size`: bytes as it is stored; `kept`: never to be deleted."""

    place: Position
    level: str
    size: int
    kept: bool


class Shelf(Protocol):
    """Where entries lie. Each method raises UnavailableError."""

    def walk(self, after: Position, until: datetime, limit: int) -> list[Candidate]:
        """The first `limit` entries behind `after` that were created before `until`, oldest first."""

    def entries(self, places: Sequence[Position]) -> Iterable[LogEntry]: ...

    def delete(self, places: Sequence[Position]) -> int:
        """How many were there."""

    def size(self) -> int:
        """Bytes of all entries, uncompressed, roughly."""


class RangeMarks(Protocol):
    def note_range(self, since: datetime | None, until: datetime | None) -> None:
        """Entries created at `since` or later and before `until` are being deleted; call it before and after."""


class Archive(Protocol):
    def append(self, entries: Iterable[LogEntry]) -> None:
        """Returns when they cannot be lost any more. Raises ArchiveError."""


class RulesSource(Protocol):
    def load(self) -> Rules: ...


class Sweep:
    """A Chore, see logger/keeping/keeper.py. Deleting twice, by two keepers, does no harm; at worst a file then has an entry twice."""

    name = "retention"
    look = LOOK_SECONDS

    def __init__(
        self,
        rules: RulesSource,
        shelf: Shelf,
        *,
        clock: Clock,
        marks: RangeMarks | None = None,
        archive: Archive | None = None,
    ) -> None:
        self._rules = rules
        self._shelf = shelf
        self._clock = clock
        self._marks = marks
        self._archive = archive
        self._known: Rules | None = None
        self._since_whole: datetime | None = None
        # Up to where a level has been swept, and the size's own place.
        self._places: dict[str, Position] = {}
        self._size_place = _START
        self._deleted: Counter[str] = Counter()
        self._warned = False

    def step(self) -> bool:
        """Deletes one portion. Raises UnavailableError or ArchiveError; then nothing is forgotten."""
        rules, now = self._rules.load(), self._clock.now()
        if rules != self._known or self._since_whole is None or now - self._since_whole >= WHOLE:
            self._known, self._since_whole = rules, now
            self._places, self._size_place, self._warned = {}, _START, False
        more = self._by_age(rules, now) or self._by_size(rules, now)
        if not more and self._deleted:
            log.info("entries_expired", extra={"count": self._deleted.total(), "levels": dict(self._deleted)})
            self._deleted.clear()
        return more

    def _by_age(self, rules: Rules, now: datetime) -> bool:
        """Levels that stay equally long are swept together."""
        for age in sorted(set(rules.ages.values()), reverse=True):
            levels = {level for level, each in rules.ages.items() if each == age}
            until = _whole_milliseconds(now - age)
            place = self._places.get(min(levels), _START)
            if place.created_at >= until:
                continue
            found = self._shelf.walk(place, until, PORTION)
            doomed, reached = _portion(found, levels)
            self._remove(doomed)
            ended = len(found) < PORTION and (not found or reached == found[-1].place)
            reached = Position(until, _LOWEST) if ended or reached is None else reached
            self._places |= dict.fromkeys(levels, reached)
            if not ended:
                return True
        return False

    def _by_size(self, rules: Rules, now: datetime) -> bool:
        if rules.max_bytes is None:
            return False
        excess = self._shelf.size() - rules.max_bytes
        if excess <= 0:
            return False
        found = self._shelf.walk(self._size_place, _whole_milliseconds(now - YOUNGEST), PORTION)
        doomed, reached = _portion(found, None, excess)
        self._remove(doomed)
        if reached is not None:
            self._size_place = reached
            return True
        if not self._warned:
            log.warning("size_cap_not_met", extra={"excess_bytes": excess})
            self._warned = True
        self._size_place = _START
        return False

    def _remove(self, doomed: Sequence[Candidate]) -> None:
        if not doomed:
            return
        places = [each.place for each in doomed]
        self._note(places)
        if self._archive is not None:
            self._archive.append(self._shelf.entries(places))
        self._shelf.delete(places)
        self._note(places)
        self._deleted.update(each.level for each in doomed)

    def _note(self, places: Sequence[Position]) -> None:
        if self._marks is not None:
            self._marks.note_range(places[0].created_at, places[-1].created_at + MILLISECOND)


def _portion(
    found: Sequence[Candidate], levels: set[str] | None, excess: int | None = None
) -> tuple[list[Candidate], Position | None]:
    """What goes now, and up to where that has been decided. `excess`: no more bytes than needed."""
    doomed: list[Candidate] = []
    size, most = 0, PORTION_BYTES if excess is None else min(excess, PORTION_BYTES)
    for each in found:
        if size >= most:
            return doomed, doomed[-1].place
        if not each.kept and (levels is None or each.level in levels):
            doomed.append(each)
            size += each.size
    return doomed, found[-1].place if found else None


def _whole_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
