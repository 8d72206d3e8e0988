"""The comparison: every entry of the ledger against what the store really holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.ids import object_id_hex
from tests.faults.ledger import Entry, Identity

Document = Mapping[str, Any]


@dataclass(slots=True)
class Verdict:
    """`lost` and `duplicated` must be empty. `repeated` are copies of entries without an identity, which may come more than once."""

    acknowledged: int = 0
    stored: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    # stored with another text or under another id than was sent, or never sent at all
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong)


def compare(entries: Iterable[Entry], documents: Iterable[Document]) -> Verdict:
    """`documents` are those of the store whose names the ledger gave out, each with `_id`, `name` and `data`."""
    found: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        found[document["name"]].append(document)
    verdict = Verdict()
    for entry in entries:
        _judge(entry, found.pop(entry.name, []), verdict)
    verdict.wrong.extend(f"{name}: never sent" for name in found)
    return verdict


def add_logins(verdict: Verdict, logins: Iterable[str], events: Iterable[str]) -> None:
    """Both are request ids: a login that was answered has one event, another one has one at most."""
    found = Counter(events)
    verdict.lost.extend(f"event of {login}" for login in logins if not found[login])
    verdict.duplicated.extend(f"event of {login}: {count} times" for login, count in found.items() if count > 1)


def _judge(entry: Entry, copies: list[Document], verdict: Verdict) -> None:
    label = f"{entry.name} ({entry.door}, id {entry.id or entry.identity}, {entry.place or 'not acknowledged'})"
    verdict.acknowledged += entry.is_acknowledged
    verdict.stored += bool(copies)
    if entry.is_acknowledged and not copies:
        verdict.lost.append(label)
    if len(copies) > 1:
        more = f"{label}: {', '.join(str(copy['_id']) for copy in copies)}"
        (verdict.repeated if entry.identity is Identity.NONE else verdict.duplicated).append(more)
    for copy in copies:
        if copy["data"] != entry.data or (entry.id and str(copy["_id"]) != object_id_hex(entry.id)):
            verdict.wrong.append(f"{label}: stored as {copy['_id']} with {copy['data'][:60]!r}")
