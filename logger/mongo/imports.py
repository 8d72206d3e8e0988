"""Imports: a collection to read from, the store to write into, and where an import was broken off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import InvalidName, PyMongoError

from common.errors import InvalidError, UnavailableError
from common.mongo import Document, create_mongo
from logger.domain import LogEntry
from logger.mongo.asking import answered
from logger.mongo.documents import COLLECTION
from logger.mongo.store import MongoLogStore
from logger.transfer.imports import BATCH, Batch, Record

CHECKPOINTS = "log_imports"
QUERY_MS = 30_000
_NO_ADDRESS = "--from-mongo: is no address of a MongoDB database, such as mongodb://host/logs"


class ForeignCollection:
    """A collection in another database, in order of `_id`."""

    def __init__(self, url: str, collection: str) -> None:
        """Nothing connects before it is read. Raises InvalidError when the address is none, or no collection may have that name."""
        if not url.startswith(("mongodb://", "mongodb+srv://")):
            raise InvalidError(_NO_ADDRESS)
        try:
            client = create_mongo(url, app_name="logger-import")
            database = client.get_default_database(default="logs")
        except (ValueError, PyMongoError) as error:
            raise InvalidError(_NO_ADDRESS) from error
        self._client = client
        try:
            self._collection = database[collection]
        except InvalidName as error:
            raise InvalidError("--collection: is no name that a collection may have") from error
        hosts = ",".join(sorted(url.rpartition("@")[2].removeprefix("mongodb://").partition("/")[0].split(",")))
        self.name = f"mongo {hosts} {self._collection.full_name}"

    def batches(self, after: str) -> Iterator[Batch]:
        """Places are ids. Raises UnavailableError."""
        try:
            yield from self._read(after)
        except PyMongoError as error:
            raise UnavailableError("the database to import from cannot be used now") from error

    def _read(self, after: str) -> Iterator[Batch]:
        total = self._collection.estimated_document_count(maxTimeMS=QUERY_MS)
        done = 0
        place = _opened(after)
        while True:
            cursor = self._collection.find(limit=BATCH, batch_size=BATCH, max_time_ms=QUERY_MS).sort("_id", 1)
            if place is not None:
                # a condition would leave out ids of other types, which a collection of many years may have
                cursor = cursor.min([("_id", place)]).hint([("_id", 1)])  # type: ignore[list-item]  # any value there is
            documents = [each for each in cursor if each["_id"] != place]
            if not documents:
                return
            done += len(documents)
            place = documents[-1]["_id"]
            yield Batch(
                [_record(each) for each in documents], _sealed(place), min(1.0, done / total) if total else None
            )

    def close(self) -> None:
        self._client.close()


def _record(document: Mapping[str, Any]) -> Record:
    key = str(document["_id"])
    return Record(document, f"_id {key}", key)


def _sealed(key: object) -> str:
    return f"oid:{key}" if isinstance(key, ObjectId) else f"text:{key}" if isinstance(key, str) else ""


def _opened(place: str) -> object:
    kind, _, text = place.partition(":")
    return ObjectId(text) if kind == "oid" else text if kind == "text" else None


class MongoTarget:
    def __init__(self, client: MongoClient[Document]) -> None:
        self._store = MongoLogStore(client)
        self._collection: Collection[Document] = client.get_default_database(default="logs")[COLLECTION]

    def insert(self, entries: Sequence[LogEntry]) -> list[bool]:
        return self._store.insert(entries)

    def present(self, ids: Sequence[str]) -> set[str]:
        """`ids` are 24 hexadecimal digits."""
        wanted = {"_id": {"$in": [ObjectId(each) for each in ids]}}
        return {
            str(each["_id"])
            for each in answered(lambda: list(self._collection.find(wanted, {"_id": 1}, max_time_ms=QUERY_MS)))
        }


class MongoCheckpoints:
    def __init__(self, client: MongoClient[Document]) -> None:
        self._collection: Collection[Document] = client.get_default_database(default="logs")[CHECKPOINTS]

    def find(self, source: str) -> Mapping[str, Any] | None:
        return answered(lambda: self._collection.find_one({"_id": source}, max_time_ms=QUERY_MS))

    def save(self, source: str, state: Mapping[str, Any]) -> None:
        document = {**state, "_id": source}
        answered(lambda: self._collection.replace_one({"_id": source}, document, upsert=True))

    def remove(self, source: str) -> None:
        answered(lambda: self._collection.delete_one({"_id": source}))
