"""Storing entries, and finding one by its id."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from common.errors import UnavailableError
from common.mongo import Document
from logger.domain import LogEntry
from logger.mongo.documents import COLLECTION, document_of, entry_of, key_of
from logger.mongo.indexes import prepare
from logger.mongo.marks import BlockMarks

log = logging.getLogger(__name__)

DUPLICATE_KEY = 11000


class MongoLogStore:
    """Acknowledges what a majority has in its journal. `_id` is derived from the entry's id, so a retry meets its own record."""

    def __init__(self, client: MongoClient[Document]) -> None:
        database = client.get_default_database(default="logs")
        self._collection: Collection[Document] = database[COLLECTION]
        self._marks = BlockMarks(database)

    def prepare(self) -> None:
        """Makes the indexes what they should be. Raises pymongo's error when the database is away."""
        prepare(self._collection)

    def insert(self, entries: Sequence[LogEntry]) -> list[bool]:
        new = self._inserted(entries)
        self._tell(entries, new)
        return new

    def _inserted(self, entries: Sequence[LogEntry]) -> list[bool]:
        try:
            self._collection.insert_many([document_of(entry) for entry in entries], ordered=False)
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

    def _tell(self, entries: Sequence[LogEntry], new: Sequence[bool]) -> None:
        """Lets the search know of late entries: what is acknowledged is found from then on."""
        created = [entry.created_at for entry in entries]
        try:
            if not all(new):
                # who stored them first may have come no further than that; their time may be another than that of the retry
                keys = [key_of(entry.id) for entry, stored in zip(entries, new, strict=True) if not stored]
                found = self._collection.find({"_id": {"$in": keys}}, {"created_at": 1, "_id": 0}, max_time_ms=5_000)
                created += [each["created_at"] for each in found if isinstance(each.get("created_at"), datetime)]
            self._marks.note(created)
        except PyMongoError as error:
            raise UnavailableError("the log store's database cannot be used now") from error

    def find(self, record_id: str) -> LogEntry | None:
        try:
            document = self._collection.find_one({"_id": key_of(record_id)}, max_time_ms=5_000)
        except PyMongoError as error:
            raise UnavailableError("the log store's database cannot be used now") from error
        return None if document is None else entry_of(document)
