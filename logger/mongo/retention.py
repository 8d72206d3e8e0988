"""The rules of retention as a document, and old entries for the sweep: found, read and deleted in portions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection

from common.mongo import Document
from logger.domain import LogEntry
from logger.keeping.retention import Rules, read_rules, rules_as_json
from logger.keeping.sweep import Candidate
from logger.mongo.asking import answered
from logger.mongo.documents import COLLECTION, entry_of
from logger.mongo.indexes import NEWEST_FIRST, hinted
from logger.ports import Position
from protos.limits import AUDIT

SETTINGS = "log_settings"
KEY = "retention"

QUERY_MS = 5_000
READ_AT_ONCE = 100


class MongoRules:
    def __init__(self, client: MongoClient[Document]) -> None:
        self._settings: Collection[Document] = client.get_default_database(default="logs")[SETTINGS]

    def load(self) -> Rules:
        found = answered(lambda: self._settings.find_one({"_id": KEY}, {"_id": 0}, max_time_ms=QUERY_MS))
        return Rules() if found is None else read_rules(found)

    def save(self, rules: Rules) -> None:
        document = {"_id": KEY, **rules_as_json(rules)}
        answered(lambda: self._settings.replace_one({"_id": KEY}, document, upsert=True))


class MongoShelf:
    def __init__(self, client: MongoClient[Document]) -> None:
        self._database = client.get_default_database(default="logs")
        self._logs: Collection[Document] = self._database[COLLECTION]

    def walk(self, after: Position, until: datetime, limit: int) -> list[Candidate]:
        if after.created_at >= until:
            return []
        beside = {"created_at": after.created_at, "_id": {"$gt": ObjectId(after.key)}}
        found = self._found(beside, limit)
        if len(found) < limit:
            found += self._found({"created_at": {"$gt": after.created_at, "$lt": until}}, limit - len(found))
        return found

    def _found(self, query: Document, limit: int) -> list[Candidate]:
        fields = {"created_at": 1, "level": 1, "category": 1, "size": {"$bsonSize": "$$ROOT"}}
        order = [("created_at", 1), ("_id", 1)]

        def ask(hint: str | None) -> list[Document]:
            return list(
                self._logs.find(
                    query, fields, sort=order, limit=limit, batch_size=limit, hint=hint, max_time_ms=QUERY_MS
                )
            )

        return [_candidate(each) for each in answered(lambda: hinted(ask, NEWEST_FIRST))]

    def entries(self, places: Sequence[Position]) -> Iterator[LogEntry]:
        for first in range(0, len(places), READ_AT_ONCE):
            keys = _keys(places[first : first + READ_AT_ONCE])
            yield from answered(lambda keys=keys: self._read(keys))  # type: ignore[misc]  # bound now

    def _read(self, keys: list[ObjectId]) -> list[LogEntry]:
        return [entry_of(each) for each in self._logs.find({"_id": {"$in": keys}}, max_time_ms=QUERY_MS)]

    def delete(self, places: Sequence[Position]) -> int:
        doomed: Document = {"_id": {"$in": _keys(places)}, "category": {"$ne": AUDIT}}
        return answered(lambda: self._logs.delete_many(doomed)).deleted_count

    def size(self) -> int:
        """The database keeps count; after it was killed it may be off by what was stored in the last minute."""
        pipeline: list[Document] = [{"$collStats": {"storageStats": {}}}, {"$project": {"size": "$storageStats.size"}}]
        found = answered(lambda: list(self._logs.aggregate(pipeline, maxTimeMS=QUERY_MS)))
        return int(found[0].get("size", 0)) if found else 0


def _keys(places: Iterable[Position]) -> list[ObjectId]:
    return [ObjectId(place.key) for place in places]


def _candidate(document: Document) -> Candidate:
    place = Position(document["created_at"], str(document["_id"]))
    return Candidate(place, document.get("level") or "INFO", document["size"], document.get("category") == AUDIT)
