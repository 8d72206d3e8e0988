"""The audit trail: every entry of the category `audit` gets a link in a chain of hashes, and verifying walks the chain. No I/O.

How the hashes are made, and what they prove, is told in docs/audit.md and docs/adr/0014-audit-chain.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Literal, NamedTuple, Protocol

# What the first link of all follows.
START = "0" * 64
# So long after it was stored an entry may be without a link: the keeper may be starting, or held up.
GRACE = timedelta(seconds=60)
PORTION = 500

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HASH = re.compile(r"[0-9a-f]{64}")


def name_of(day: str, number: int) -> str:
    """Such as 2026-11-21/000000042; names sort as the links follow each other."""
    return f"{day}/{number:09d}"


class Link(NamedTuple):
    """`day`: when it was sealed, in UTC; `number` counts from 1 within a day. `entry`: 24 hexadecimal digits, its `_id`.

    `entry_hash`, `previous` and `hash` are SHA-256 in 64 hexadecimal digits; `previous` is the `hash` of the link before.
    """

    name: str
    day: str
    number: int
    entry: str
    entry_hash: str
    previous: str
    hash: str

    def own_hash(self) -> str:
        """What `hash` is to be."""
        text = f"{self.previous}\n{self.name}\n{self.entry}\n{self.entry_hash}"
        return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class Head(NamedTuple):
    """The last link of a day: who keeps its hash elsewhere can tell later whether anything up to it was changed."""

    day: str
    count: int  # type: ignore[assignment]  # a tuple's method of this name is not for such a value
    hash: str


class Loose(NamedTuple):
    """An audit entry that has no link. `stored`: when, if it is still marked as one that the keeper has to take."""

    entry: str
    stored: datetime | None


Kind = Literal["link_missing", "link_changed", "entry_missing", "entry_changed", "entry_without_link", "anchor_missing"]


class Fault(NamedTuple):
    """The first thing that is wrong. `link` is its name, `entry` an `_id`; empty where the fault is about none."""

    kind: Kind
    detail: str
    link: str = ""
    entry: str = ""


class AuditTrail(Protocol):
    """What is there, as it is. Everything raises UnavailableError."""

    def links(self, day: str | None) -> Iterator[Link]:
        """In order of their names: all, or those of one day and the first one after it."""

    def before(self, day: str) -> Link | None:
        """The last link before the day."""

    def entry_hashes(self, entries: Sequence[str]) -> dict[str, str]:
        """Of those that are there, made anew."""

    def loose(self, day: str | None) -> Iterator[Loose]:
        """In order of `created_at`: all, or those created on that day."""

    def now(self) -> datetime:
        """By the clock that `Loose.stored` comes from."""


class HeadSource(Protocol):
    def heads(self, *, limit: int, before: str | None) -> list[Head]:
        """Of the last days, or the last ones before that day; the newest first. Raises UnavailableError."""


def seal(previous: Link | None, day: str, entries: Iterable[tuple[str, str]]) -> list[Link]:
    """The links behind `previous` for entries, each with its hash. A clock that was set back does not take the chain back."""
    links: list[Link] = []
    for entry, entry_hash in entries:
        today = day if previous is None else max(day, previous.day)
        number = previous.number + 1 if previous is not None and previous.day == today else 1
        name = name_of(today, number)
        link = Link(name, today, number, entry, entry_hash, START if previous is None else previous.hash, "")
        previous = link._replace(hash=link.own_hash())
        links.append(previous)
    return links


def verify(trail: AuditTrail, *, day: str | None = None, anchors: Iterable[str] = ()) -> Iterator[Head | Fault]:
    """The head of each day that is as it was sealed; then the first fault, if there is one, and nothing more.

    With `day`, only that day, which must follow what was there before it and be followed by what is there behind it. `anchors`: hashes
    of links, noted earlier, that must be among those which were looked at. Needs little memory, however long the chain is.
    """
    for finding in _findings(trail, day, set(anchors)):
        yield finding
        if isinstance(finding, Fault):
            return


def _findings(trail: AuditTrail, day: str | None, wanted: set[str]) -> Iterator[Head | Fault]:
    """What holds up to the first fault; what comes behind it may follow from it."""
    last = trail.before(day) if day else None
    if last is not None:
        wanted.discard(last.hash)
    count = 0
    for link, found in _with_entries(trail, trail.links(day)):
        if fault := _out_of_place(last, link):
            yield fault
        if count and last is not None and last.day != link.day:
            yield Head(last.day, last.number, last.hash)
        if day and link.day > day:
            count = 0
            break
        if fault := _of_entry(link, found):
            yield fault
        wanted.discard(link.hash)
        last, count = link, count + 1
    if count and last is not None:
        yield Head(last.day, last.number, last.hash)
    yield from _of_loose(trail, day)
    for anchor in sorted(wanted):
        yield Fault("anchor_missing", f"no link has the hash {anchor}: the chain was made anew, or cut off before it")


def _with_entries(trail: AuditTrail, links: Iterator[Link]) -> Iterator[tuple[Link, str | None]]:
    """Each link with what its entry's hash is now; None when the entry is not there."""
    while portion := list(islice(links, PORTION)):
        found = trail.entry_hashes([link.entry for link in portion])
        for link in portion:
            yield link, found.get(link.entry)


def _out_of_place(last: Link | None, link: Link) -> Fault | None:
    """What is wrong with a link, or between it and the one before it, without a look at entries."""
    if link.name != name_of(link.day, link.number) or not is_day(link.day):
        return Fault("link_changed", "the link's name, day and number do not belong together", link.name, link.entry)
    expected = last.number + 1 if last is not None and last.day == link.day else 1
    if link.number != expected:
        missing = name_of(link.day, expected)
        return Fault("link_missing", f"there is no such link, but {link.name}", missing)
    if link.hash != link.own_hash():
        return Fault("link_changed", "the link's hash is not that of what the link says", link.name, link.entry)
    return _out_of_chain(last, link)


def _out_of_chain(last: Link | None, link: Link) -> Fault | None:
    """Whether a link that is right in itself follows the one before it."""
    if link.previous == (START if last is None else last.hash):
        return None
    if last is None:
        return Fault("link_missing", f"the links before {link.name} are not there", link.name)
    if link.number == 1:
        behind = name_of(last.day, last.number + 1)
        return Fault("link_missing", f"{link.name} follows neither {last.name} nor anything else that is there", behind)
    return Fault("link_changed", f"{link.name} was sealed behind another link than this", last.name, last.entry)


def _of_entry(link: Link, found: str | None) -> Fault | None:
    if found is None:
        return Fault("entry_missing", "the entry is not there", link.name, link.entry)
    if found != link.entry_hash:
        return Fault("entry_changed", "the entry is not what was sealed", link.name, link.entry)
    return None


def _of_loose(trail: AuditTrail, day: str | None) -> Iterator[Fault]:
    now = trail.now()
    for entry, stored in trail.loose(day):
        if stored is None:
            detail = "the audit entry has no link: its link was taken away, or the entry was not written through the log store"
            yield Fault("entry_without_link", detail, "", entry)
        elif abs(now - stored) > GRACE:
            detail = f"the audit entry is marked as waiting for its link since {stored:%Y-%m-%dT%H:%M:%SZ}; is the keeper at work?"
            yield Fault("entry_without_link", detail, "", entry)


def is_day(text: str) -> bool:
    """Such as 2026-11-21."""
    with suppress(ValueError):
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    return False


def is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None
