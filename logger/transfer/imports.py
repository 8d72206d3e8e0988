"""Entries from elsewhere: an export's lines, or the collection of a Go system. They keep their ids and times, and pass the same rules.

An import can be broken off and repeated at any time: an entry that is there already is left as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from common.errors import InvalidError, Problem
from common.ids import object_id_hex
from logger.domain import Arrival, LogEntry, accept
from logger.schemas import read_draft
from protos.rules import moment_of

# Entries of one batch: what one insert of the store takes.
BATCH = 1_000
UNNAMED = "unnamed"
MOST_EXAMPLES = 3

# How programs write that they know no time: Go's zero time and all of its year, and the zero of Unix.
_GO_ZERO_YEAR = 1
_UNIX_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
# An ObjectId of an earlier second holds no clock's time, but a number that somebody chose.
_EARLIEST_ID = datetime(1990, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(hours=1)
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_TEXTS = ("data", "level", "service", "request_id", "trace_id", "span_id", "category", "fields")


class Record(NamedTuple):
    """What was found. `key`: the id of what it was found as, unless the members have one, and `spare` if there is none at all; `label` says
    where it was found, for people.
    """

    members: Mapping[str, Any] | InvalidError
    label: str
    key: str = ""
    spare: str = ""


class Batch(NamedTuple):
    """`place`: behind these records, to go on from; empty: nothing says where that is. `share`: how much of the source is behind it, from 0 to 1; None: unknown."""

    records: Sequence[Record]
    place: str
    share: float | None


class Source(Protocol):
    @property
    def name(self) -> str:
        """The same for the same source."""

    def batches(self, after: str) -> Iterator[Batch]:
        """From the place `after` on, or from the beginning when that is empty. Raises UnavailableError or ImportFileError."""


class Target(Protocol):
    """Both methods raise UnavailableError."""

    def insert(self, entries: Sequence[LogEntry]) -> list[bool]: ...

    def present(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids whose entries are there."""


class Checkpoints(Protocol):
    """Each method raises UnavailableError."""

    def find(self, source: str) -> Mapping[str, Any] | None: ...

    def save(self, source: str, state: Mapping[str, Any]) -> None: ...

    def remove(self, source: str) -> None: ...


@dataclass(slots=True)
class Report:
    """`refused` counts by reason; `examples` says where some of them were found."""

    read: int = 0
    new: int = 0
    present: int = 0
    unnamed: int = 0
    undated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, reason: str, label: str) -> None:
        self.refused[reason] += 1
        places = self.examples.setdefault(reason, [])
        if len(places) < MOST_EXAMPLES:
            places.append(label)

    def as_json(self) -> dict[str, Any]:
        reasons = [
            {"reason": reason, "count": count, "examples": self.examples.get(reason, [])}
            for reason, count in self.refused.most_common()
        ]
        return {
            "read": self.read,
            "new": self.new,
            "present": self.present,
            "refused": self.refused.total(),
            "unnamed": self.unnamed,
            "undated": self.undated,
            "reasons": reasons,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Report:
        reasons = state["reasons"]
        refused = Counter({each["reason"]: each["count"] for each in reasons})
        examples = {each["reason"]: list(each["examples"]) for each in reasons}
        counts = {name: int(state[name]) for name in ("read", "new", "present", "unnamed", "undated")}
        return cls(**counts, refused=refused, examples=examples)


class Import:
    def __init__(self, target: Target, checkpoints: Checkpoints, *, came: Arrival) -> None:
        """`came.moment`: the time of entries that say none, and whose id holds none."""
        self._target = target
        self._checkpoints = checkpoints
        self._came = came

    def rehearse(self, source: Source, progress: Callable[[Report, float | None], object]) -> Report:
        """What `run` would do from the beginning; nothing is stored.

        It remembers no batch but the one it reads: an id that comes again in a later one is new once more.
        """
        report = Report()
        for batch in source.batches(""):
            entries = self._accepted(batch, report)
            new = len({object_id_hex(entry.id) for entry in self._absent(entries)})
            report.new += new
            report.present += len(entries) - new
            progress(report, batch.share)
        return report

    def run(
        self, source: Source, progress: Callable[[Report, float | None], object], *, afresh: bool = False
    ) -> Report:
        """Goes on where an import of the same source was broken off, unless it is to begin `afresh`."""
        state = None if afresh else self._checkpoints.find(source.name)
        place = "" if state is None else str(state["place"])
        # what is read from the beginning is counted from the beginning
        report = Report.from_json(state) if state is not None and place else Report()
        for batch in source.batches(place):
            entries = self._accepted(batch, report)
            absent = self._absent(entries)
            stored = sum(self._target.insert(absent)) if absent else 0
            report.new += stored
            report.present += len(entries) - stored
            self._checkpoints.save(source.name, {**report.as_json(), "place": batch.place})
            progress(report, batch.share)
        self._checkpoints.remove(source.name)
        return report

    def _absent(self, entries: Sequence[LogEntry]) -> list[LogEntry]:
        """To find out costs little; for the store to refuse a thousand entries one by one costs much."""
        there = self._target.present([object_id_hex(entry.id) for entry in entries])
        return [entry for entry in entries if object_id_hex(entry.id) not in there]

    def _accepted(self, batch: Batch, report: Report) -> list[LogEntry]:
        entries = []
        for record in batch.records:
            report.read += 1
            try:
                entries.append(self._entry(record, report))
            except InvalidError as error:
                report.refuse(error.message, record.label)
        return entries

    def _entry(self, record: Record, report: Report) -> LogEntry:
        """Raises InvalidError."""
        if isinstance(record.members, InvalidError):
            raise record.members
        given = record.members
        members = {name: value for name in _TEXTS if (value := given.get(name)) is not None}
        record_id = given.get("id") or given.get("event_id") or record.key
        created = _time(given, "created_at") or _time(given, "timestamp") or self._time_of(record.key or record_id)
        unnamed = not given.get("name")
        draft = read_draft(
            {"data": "", **members, "id": record_id or record.spare, "name": UNNAMED if unnamed else given["name"]}
        )
        protocol = given.get("protocol") or ""
        entry = accept(draft._replace(protocol=protocol) if protocol else draft, self._came)
        report.unnamed += unnamed
        report.undated += created is None
        created = created or entry.created_at
        updated = _time(given, "updated_at") or created
        # what is not known of an entry is not made up: how it came in, and with which request
        return entry._replace(
            protocol=protocol,
            request_id=draft.request_id,
            trace_id=draft.trace_id,
            created_at=created,
            updated_at=updated,
        )

    def _time_of(self, record_id: object) -> datetime | None:
        """The first four bytes of an ObjectId are the second in which it was made."""
        if not isinstance(record_id, str) or not _OBJECT_ID.fullmatch(record_id):
            return None
        moment = datetime.fromtimestamp(int(record_id[:8], 16), UTC)
        return moment if _EARLIEST_ID <= moment <= self._came.moment + _CLOCKS_DIFFER else None


def _time(members: Mapping[str, Any], name: str) -> datetime | None:
    """None when it is not there, or zero. Raises InvalidError when it is no time."""
    value = members.get(name)
    moment = moment_of(value) if isinstance(value, str) and value else value
    if moment is None and not value:
        return None
    if not isinstance(moment, datetime):
        problem = Problem(f"#/{name}", "must be an RFC 3339 time with a time zone")
        raise InvalidError(f"{name}: {problem.detail}", problems=[problem])
    if moment.year == _GO_ZERO_YEAR or moment == _UNIX_ZERO:
        return None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
