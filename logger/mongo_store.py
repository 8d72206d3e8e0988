"""The log store in MongoDB, database `logs`, collection `logs`, as the Go original lays its documents out, plus fields beside them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import DESCENDING, IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from common.errors import UnavailableError
from common.ids import object_id_hex
from common.mongo import Document
from logger.domain import LogEntry

log = logging.getLogger(__name__)

COLLECTION = "logs"
DUPLICATE_KEY = 11000

INDEXES = [
    IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)], name="newest_first"),
    IndexModel([("name", 1), ("created_at", DESCENDING)], name="by_name"),
    IndexModel([("trace_id", 1)], name="by_trace", partialFilterExpression={"trace_id": {"$gt": ""}}),
]


class MongoLogStore:
    """Acknowledges what a majority has in its journal. `_id` is derived from the entry's id, so a retry meets its own record."""

    def __init__(self, client: MongoClient[Document]) -> None:
        database = client.get_default_database(default="logs")
        self._collection: Collection[Document] = database[COLLECTION]

    def prepare(self) -> None:
        """Creates the indexes that are not there. Raises pymongo's error when the database is away."""
        self._collection.create_indexes(INDEXES)

    def insert(self, entries: Sequence[LogEntry]) -> list[bool]:
        try:
            self._collection.insert_many([_document(entry) for entry in entries], ordered=False)
        except BulkWriteError as error:
            return self._sorted_out(error.details, len(entries))
        except PyMongoError as error:
            raise UnavailableError("the log store's database cannot be used now") from error
        return [True] * len(entries)

    def _sorted_out(self, details: Mapping[str, Any], count: int) -> list[bool]:
        """A duplicate is a success; anything else, an unmet write concern too, leaves the outcome unknown."""
        failures = details.get("writeErrors", [])
        if details.get("writeConcernErrors") or any(failure["code"] != DUPLICATE_KEY for failure in failures):
            codes = sorted({failure["code"] for failure in failures})
            log.error("log_batch_refused_by_database", extra={"codes": codes})
            raise UnavailableError("the log store's database refused the entries")
        duplicates = {failure["index"] for failure in failures}
        return [index not in duplicates for index in range(count)]

    def find(self, record_id: str) -> LogEntry | None:
        try:
            document = self._collection.find_one({"_id": ObjectId(object_id_hex(record_id))}, max_time_ms=5_000)
        except PyMongoError as error:
            raise UnavailableError("the log store's database cannot be used now") from error
        return None if document is None else _entry(document)


def _document(entry: LogEntry) -> Document:
    """Fields of the Go original first, in its order; empty additions are left out."""
    key = object_id_hex(entry.id)
    document: Document = {
        "_id": ObjectId(bytes.fromhex(key)),
        "name": entry.name,
        "data": entry.data,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "level": entry.level,
        "protocol": entry.protocol,
    }
    if key != entry.id:
        document["event_id"] = entry.id
    if entry.service:
        document["service"] = entry.service
    if entry.request_id:
        document["request_id"] = entry.request_id
    if entry.trace_id:
        document["trace_id"] = entry.trace_id
    if entry.span_id:
        document["span_id"] = entry.span_id
    if entry.fields:
        document["fields"] = entry.fields
    return document


def _entry(document: Mapping[str, Any]) -> LogEntry:
    """Tolerates documents of the Go original, which may lack any field and hold zero times."""
    created: datetime = document.get("created_at") or datetime.min.replace(tzinfo=UTC)
    return LogEntry(
        id=document.get("event_id") or str(document["_id"]),
        name=str(document.get("name", "")),
        data=str(document.get("data", "")),
        level=document.get("level") or "INFO",
        service=document.get("service", ""),
        protocol=document.get("protocol", ""),
        request_id=document.get("request_id", ""),
        trace_id=document.get("trace_id", ""),
        created_at=created,
        updated_at=document.get("updated_at") or created,
        span_id=document.get("span_id", ""),
        fields=document.get("fields"),
    )
