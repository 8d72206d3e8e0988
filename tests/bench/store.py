"""The log store read past every service: what was acknowledged is counted where it has to be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from bson import ObjectId
from pymongo import IndexModel, MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

_DATABASE, _COLLECTION, _SCRATCH = "logs", "logs", "bench_yardstick"
_BLOCKS, _ASIDE = "log_blocks", "bench_aside"
# What writers paid for before the log store could be searched.
BEFORE_SEARCHING = (
    IndexModel([("created_at", -1), ("_id", -1)], name="newest_first"),
    IndexModel([("name", 1), ("created_at", -1)], name="by_name"),
    IndexModel([("trace_id", 1)], name="by_trace", partialFilterExpression={"trace_id": {"$gt": ""}}),
)
_BATCH = 1_000
_THREADS = 2
_POLL = 0.1


class Store:
    """Talks to MongoDB with the administrator's address."""

    def __init__(self, url: str) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(url, serverSelectionTimeoutMS=5_000)
        self._logs = self._client[_DATABASE][_COLLECTION]

    def close(self) -> None:
        self._client.close()

    def version(self) -> str:
        return str(self._client.server_info()["version"])

    def count(self, tag: str) -> int:
        """How many entries have a name that begins with `tag` and a hyphen; read from the index on names alone."""
        return self._logs.count_documents({"name": {"$gte": f"{tag}-", "$lt": f"{tag}."}})

    def total(self) -> int:
        """From the collection's metadata: cheap enough to be asked many times a second."""
        return self._logs.estimated_document_count()

    def settled(self, tag: str, wanted: int, seconds: float) -> int:
        """The count as soon as it is `wanted`, or what it is after `seconds`."""
        end = time.monotonic() + seconds
        while (counted := self.count(tag)) < wanted and time.monotonic() < end:
            time.sleep(_POLL)
        return counted

    def has_indexes(self) -> bool:
        """Whether the log store has made its own, which it may do some time after its start."""
        return bool(_indexes(self._logs))

    def clear(self) -> None:
        """Empties the log store, so that no row pays for the rows before it. The indexes are made again as they were."""
        indexes = _indexes(self._logs)
        self._logs.drop()
        # what the keeper knows about ranges of time that hold nothing now; it makes that anew
        self._client[_DATABASE][_BLOCKS].update_many({}, {"$set": {"state": "stale"}})
        if indexes:
            self._logs.create_indexes(indexes)

    @contextmanager
    def set_aside(self, indexes: Sequence[IndexModel]) -> Iterator[None]:
        """Meanwhile the log store is empty and has these indexes; then it holds again what it held."""
        self._logs.rename(_ASIDE, dropTarget=True)
        try:
            self._logs.create_indexes(list(indexes))
            yield
        finally:
            # in one step: a load generator leaves while its last requests are under way
            self._client[_DATABASE][_ASIDE].rename(_COLLECTION, dropTarget=True)

    def insert_rate(self, seconds: float) -> float:
        """The yardstick M: journaled documents per second of two threads that insert 1,000 at a time under the log store's indexes."""
        scratch = self._client[_DATABASE][_SCRATCH].with_options(write_concern=WriteConcern(w="majority", j=True))
        scratch.drop()
        if indexes := _indexes(self._logs):
            scratch.create_indexes(indexes)
        counts = [0] * _THREADS
        end = time.monotonic() + seconds
        began = time.monotonic()
        threads = [Thread(target=_insert, args=(scratch, counts, number, end)) for number in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.monotonic() - began
        scratch.drop()
        return sum(counts) / taken


def _insert(collection: Collection[dict[str, Any]], counts: list[int], number: int, end: float) -> None:
    now = datetime.now(UTC)
    while time.monotonic() < end:
        documents = [_document(number, counts[number] + index, now) for index in range(_BATCH)]
        try:
            collection.insert_many(documents, ordered=False)
        except PyMongoError:
            return
        counts[number] += _BATCH


def _document(thread: int, number: int, now: datetime) -> dict[str, Any]:
    """As the log store writes one entry."""
    return {
        "_id": ObjectId(),
        "name": f"yardstick-{thread}-{number:010d}",
        "data": f"entry {thread}-{number:010d} of the yardstick: user 4711 opened order 4242 from 10.0.0.7",
        "created_at": now,
        "updated_at": now,
        "level": "INFO",
        "protocol": "http",
        "service": "bench",
        "request_id": f"{number:032x}",
        "trace_id": f"{number:032x}",
    }


def _indexes(collection: Collection[dict[str, Any]]) -> list[IndexModel]:
    """The indexes that are there, but for the one on `_id`, ready to be made elsewhere."""
    found: list[Mapping[str, Any]] = list(collection.list_indexes())
    return [
        IndexModel(list(each["key"].items()), **{name: each[name] for name in each if name not in {"key", "v", "ns"}})
        for each in found
        if each["name"] != "_id_"
    ]
