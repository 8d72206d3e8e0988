"""The links of the audit chain, and the entries that they are about, as they lie in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId, Timestamp
from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from common.errors import UnavailableError
from common.mongo import Document
from logger.audit import Head, Link, Loose
from logger.mongo.asking import answered
from logger.mongo.canonical import READING, hash_of
from logger.mongo.documents import COLLECTION, UNSEALED
from logger.mongo.indexes import BY_CATEGORY, hinted
from protos.limits import AUDIT

CHAIN = "audit_chain"
# No link has two that follow it, and no entry has two links, whoever seals at the same time.
INDEXES = (
    IndexModel([("previous", ASCENDING)], name="by_previous", unique=True),
    IndexModel([("entry", ASCENDING)], name="by_entry", unique=True),
)
QUERY_MS = 5_000
PORTION = 1_000


def document_of(link: Link) -> Document:
    return {
        "_id": link.name,
        "day": link.day,
        "number": link.number,
        "entry": ObjectId(link.entry),
        "entry_hash": link.entry_hash,
        "previous": link.previous,
        "hash": link.hash,
    }


def link_of(document: Mapping[str, Any]) -> Link:
    """Whatever lies there; what is of the wrong type makes a link that does not hold."""
    number, entry = document.get("number"), document.get("entry")
    day, content, previous, own = (str(document.get(name, "")) for name in ("day", "entry_hash", "previous", "hash"))
    whole = number if isinstance(number, int) and not isinstance(number, bool) else 0
    key = str(entry) if isinstance(entry, ObjectId) else ""
    return Link(str(document["_id"]), day, whole, key, content, previous, own)


class MongoAuditTrail:
    """An AuditTrail and a HeadSource."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._chain: Collection[Document] = database[CHAIN].with_options(codec_options=READING)
        self._logs: Collection[Document] = database[COLLECTION].with_options(codec_options=READING)

    def links(self, day: str | None) -> Iterator[Link]:
        wanted = {"_id": {"$gte": f"{day}/"}} if day else {}
        with _usable():
            found = self._chain.find(wanted, sort=[("_id", ASCENDING)], batch_size=PORTION)
            for link in map(link_of, found):
                yield link
                if day and link.day > day:
                    return

    def before(self, day: str) -> Link | None:
        return self._last({"$lt": f"{day}/"})

    def entry_hashes(self, entries: Sequence[str]) -> dict[str, str]:
        """Entries may be large; only their hashes are held."""
        keys = [ObjectId(entry) for entry in entries if entry]
        with _usable():
            found = self._logs.find({"_id": {"$in": keys}}, batch_size=PORTION)
            return {str(each["_id"]): hash_of(each) for each in found}

    def loose(self, day: str | None) -> Iterator[Loose]:
        with _usable():
            found = iter(hinted(lambda hint: self._audited(day, hint), BY_CATEGORY))
            while portion := list(islice(found, PORTION)):
                keys = [each["_id"] for each in portion]
                linked = {each["entry"] for each in self._chain.find({"entry": {"$in": keys}}, {"entry": 1, "_id": 0})}
                for each in portion:
                    if each["_id"] not in linked:
                        yield Loose(str(each["_id"]), _stored(each.get(UNSEALED)))

    def _audited(self, day: str | None, hint: str | None) -> Iterable[Document]:
        wanted: Document = {"category": AUDIT}
        if day:
            since = datetime.fromisoformat(day).replace(tzinfo=UTC)
            wanted["created_at"] = {"$gte": since, "$lt": since + timedelta(days=1)}
        order = [("category", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]
        return self._logs.find(wanted, {UNSEALED: 1}, sort=order, hint=hint, batch_size=PORTION)

    def now(self) -> datetime:
        hello = answered(lambda: self._database.command("hello"))
        moment: datetime = hello["localTime"]
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def heads(self, *, limit: int, before: str | None) -> list[Head]:
        """One look into the index for each day."""
        found: list[Head] = []
        # the characters of names are digits, - and /, which all come before :
        bound = f"{before}/" if before else ":"
        while len(found) < limit and (link := self._last({"$lt": bound})):
            found.append(Head(link.day, link.number, link.hash))
            bound = link.name[: link.name.find("/") + 1] or link.name
        return found

    def last(self) -> Link | None:
        return self._last({"$lt": ":"})

    def _last(self, names: Document) -> Link | None:
        query: Callable[[], Document | None] = lambda: self._chain.find_one(  # noqa: E731 - it is called elsewhere
            {"_id": names}, sort=[("_id", DESCENDING)], max_time_ms=QUERY_MS
        )
        found = answered(query)
        return None if found is None else link_of(found)


def _stored(mark: object) -> datetime | None:
    if isinstance(mark, Timestamp):
        return mark.as_datetime()
    return None


@contextmanager
def _usable() -> Iterator[None]:
    """For answers that come piece by piece. Raises UnavailableError in place of the driver's errors."""
    try:
        yield
    except (PyMongoError, BSONError) as error:
        raise UnavailableError("the log store's database cannot be used now") from error
