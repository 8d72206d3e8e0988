"""What is stored, in the order in which it is stored: MongoDB's change stream of the collection, and its past as a snapshot.

By commands instead of the driver's cursors: a batch is read as a batch, and each step says where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId, Timestamp
from bson.int64 import Int64
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from common.errors import UnavailableError
from common.mongo import Document
from logger.mongo.asking import extent
from logger.mongo.conditions import created_within, query_of
from logger.mongo.documents import COLLECTION, entry_of
from logger.mongo.windows import UNDATED, Budget, SpentError, Window, scan, whole
from logger.ports import Position
from logger.query.filters import Filter
from logger.tailing.changes import MAX_HISTORY, Batch, Change, GoneError
from logger.tailing.places import Live, Moment, Past, unknown_place

# Enough to share the cost of a step, and few enough that decoding them does not hold up the other requests of the process.
BATCH = 200
# Beside the documents themselves: what Python needs for an entry.
_OVERHEAD_BYTES = 1_000
# Of a history: how many entries' sizes are asked for at once, and how many bytes are in memory for a reader that may not read at all.
_HISTORY_SIZES = 200
_HISTORY_BYTES = 1024 * 1024
# For looking back: the whole range at once, then part by part.
_FIRST_TRY_MS = 500
_SCAN_SECONDS = 1.5
_STEP_MS = 5_000
# How often a moment is chosen anew when the store cannot look back to it, as while an index is being built.
_MOMENTS = 5

# MongoDB's error codes (src/mongo/base/error_codes.yml).
# ChangeStreamHistoryLost, ChangeStreamFatalError (a token that is not found), SnapshotTooOld, SnapshotUnavailable
_HISTORY_LOST = frozenset({286, 280, 239, 246})
# FailedToParse, TypeMismatch, Overflow, InvalidOptions, InvalidResumeToken, and the range of those of tokens and what they are made of
_NO_TOKEN = frozenset({9, 14, 15, 72, 260, 40647, 40648, 40649, *range(50_000, 52_000)})
# The layout of a token begins with the time of its change: a type, seconds, ordinal.
_TIME_IN_TOKEN = slice(2, 10)

# Only inserts are entries: their deletion and what repairs do to them is nobody's news.
_PIPELINE: list[Document] = [
    {"$match": {"operationType": "insert"}},
    {"$project": {"fullDocument": 1, "clusterTime": 1, "size": {"$bsonSize": "$fullDocument"}}},
]


class MongoChangeLog:
    def __init__(self, client: MongoClient[Document]) -> None:
        self._client = client

    def follow(self, place: Live | Moment | None) -> MongoChangeStream:
        stage: Document = {}
        if isinstance(place, Live):
            stage = {"startAfter": {"_data": place.token}}
        elif place is not None:
            # a snapshot holds all that was committed at its time, a change stream begins with the time it is given
            stage = {"startAtOperationTime": Timestamp(place.seconds, place.ordinal + 1)}
        return MongoChangeStream(self._client, stage)

    def history(self, wanted: Filter, *, limit: int, resumed: Past | None = None) -> MongoHistory:
        if resumed is not None:
            return MongoHistory(self._client, wanted, MAX_HISTORY, resumed)
        for _ in range(_MOMENTS):
            with suppress(GoneError):
                return MongoHistory(self._client, wanted, limit, None)
        raise UnavailableError("the log store's database cannot look back now")


class _Cursor:
    """A cursor on the collection in a session of its own, as commands."""

    def __init__(self, client: MongoClient[Document]) -> None:
        self._database = client.get_default_database(default="logs")
        self._session: ClientSession = client.start_session(causal_consistency=False)
        self._id = Int64(0)

    @property
    def is_open(self) -> bool:
        return self._id != 0

    def command(self, command: Document) -> Document:
        """The cursor's part of the answer. Raises GoneError, MalformedError, UnavailableError, or pymongo's ExecutionTimeout."""
        with _translated():
            answer = self._database.command(command, session=self._session, codec_options=self._database.codec_options)
        found: Document = answer["cursor"]
        self._id = Int64(found["id"])
        self.time: Timestamp = answer["operationTime"]
        return found

    def more(self, **options: object) -> Document:
        return self.command({"getMore": self._id, "collection": COLLECTION, **options})

    def close(self) -> None:
        if self.is_open:
            with suppress(PyMongoError):
                self._database.command({"killCursors": COLLECTION, "cursors": [self._id]}, session=self._session)
            self._id = Int64(0)
        self._session.end_session()


class MongoChangeStream:
    def __init__(self, client: MongoClient[Document], start: Document) -> None:
        self._cursor = _Cursor(client)
        try:
            self._open(start)
        except BaseException:
            self._cursor.close()
            raise

    def _open(self, start: Document) -> None:
        # with a first batch, since a place is only looked for when it is read from
        found = self._cursor.command(
            {
                "aggregate": COLLECTION,
                "pipeline": [{"$changeStream": start}, *_PIPELINE],
                "cursor": {"batchSize": BATCH},
            }
        )
        if int(found["postBatchResumeToken"]["_data"][_TIME_IN_TOKEN], 16) > self._cursor.time.time:
            # of another store, or of this one before it was set back
            raise GoneError
        self._first: Document | None = found

    def read(self, wait: float) -> Batch:
        found, self._first = self._first, None
        if found is None:
            found = self._cursor.more(batchSize=BATCH, maxTimeMS=max(1, int(wait * 1000)))
        if not self._cursor.is_open:
            # the collection was dropped or renamed
            raise GoneError
        events = found["nextBatch"] if "nextBatch" in found else found["firstBatch"]
        place = Live(found["postBatchResumeToken"]["_data"], _now())
        return Batch([_change(event) for event in events], place, len(events) == BATCH)

    def close(self) -> None:
        self._cursor.close()


class MongoHistory:
    """The keys of the newest ones that match are looked up at once, the entries themselves batch by batch; all in one snapshot."""

    def __init__(self, client: MongoClient[Document], wanted: Filter, limit: int, resumed: Past | None) -> None:
        self._collection = client.get_default_database(default="logs")[COLLECTION]
        self._cursor = _Cursor(client)
        self._limit = limit
        self._after = resumed.after if resumed else None
        self.complete = True
        try:
            self.moment = self._moment(resumed)
            self._keys = self._newest(wanted)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[list[Change]]:
        """As long as MongoDB keeps the snapshot, five minutes by default; then GoneError."""
        while self._keys:
            keys, self._keys = self._keys[:_HISTORY_SIZES], self._keys[_HISTORY_SIZES:]
            yield from map(self._changes, self._parts(keys))

    def close(self) -> None:
        self._cursor.close()

    def _parts(self, keys: list[Any]) -> Iterator[list[Any]]:
        """The keys in their order, each part for at most so many bytes, or for one entry."""
        sizes = self._all(keys, {"size": {"$bsonSize": "$$ROOT"}})
        part: list[Any] = []
        room = _HISTORY_BYTES
        for key in keys:
            size = sizes[key]["size"] + _OVERHEAD_BYTES
            if part and size > room:
                yield part
                part, room = [], _HISTORY_BYTES
            part.append(key)
            room -= size
        yield part

    def _changes(self, keys: list[Any]) -> list[Change]:
        found = self._all(keys)
        return [self._change(found[key]) for key in keys]

    def _change(self, document: Document) -> Change:
        entry = entry_of(document)
        place = Past(self.moment, Position(entry.created_at, str(document["_id"])))
        return Change(entry, place, len(entry.data) + _OVERHEAD_BYTES)

    def _moment(self, resumed: Past | None) -> Moment:
        if resumed is not None:
            return resumed.moment
        answer = self._cursor.command(
            {"find": COLLECTION, "filter": {"_id": None}, "limit": 1, "readConcern": {"level": "snapshot"}}
        )
        taken: Timestamp = answer["atClusterTime"]
        return Moment(taken.time, taken.inc)

    def _newest(self, wanted: Filter) -> list[Any]:
        """Oldest first. Not `complete` when the time is over before there are enough, or all."""
        query, (since, until) = query_of(wanted), whole(wanted)
        window = Window(max(since, UNDATED.until), until)
        if window.empty:
            return []
        try:
            return self._keys_in(query, window, _FIRST_TRY_MS, self._limit)
        except ExecutionTimeout:
            return self._scanned(query, window)

    def _scanned(self, query: Document, window: Window) -> list[Any]:
        """The same window by window, as far as the time reaches."""
        keys: list[Any] = []
        budget = Budget(_SCAN_SECONDS)
        try:
            with _translated():
                within = extent(self._collection, window, budget)
            if within is None:
                return keys

            def step(part: Window, limit_ms: int) -> list[Any]:
                return self._keys_in(query, part, limit_ms, self._limit - len(keys))

            for _, found in scan([within], order="newest", budget=budget, step=step):
                keys = found + keys
                if len(keys) >= self._limit:
                    break
        except SpentError:
            self.complete = False
        return keys

    def _keys_in(self, query: Document, window: Window, limit_ms: int, count: int) -> list[Any]:
        parts = [created_within(window), query, self._behind()]
        command = {
            "filter": {"$and": [part for part in parts if part]},
            "projection": {"_id": 1},
            "sort": {"created_at": -1, "_id": -1},
            "limit": count,
            "maxTimeMS": limit_ms,
        }
        return [document["_id"] for document in self._found(command)][::-1]

    def _behind(self) -> Document:
        if self._after is None:
            return {}
        created, key = self._after.created_at, ObjectId(self._after.key)
        return {
            "created_at": {"$gte": created},
            "$or": [{"created_at": {"$gt": created}}, {"_id": {"$gt": key}}],
        }

    def _all(self, keys: list[Any], projection: Document | None = None) -> dict[Any, Document]:
        command = {"filter": {"_id": {"$in": keys}}, "projection": projection or {}, "maxTimeMS": _STEP_MS}
        try:
            return {document["_id"]: document for document in self._found(command)}
        except ExecutionTimeout as error:
            raise UnavailableError("the log store's database is too slow now") from error

    def _found(self, command: Document) -> list[Document]:
        at = {"level": "snapshot", "atClusterTime": Timestamp(*self.moment)}
        found = self._cursor.command({"find": COLLECTION, **command, "readConcern": at})
        documents: list[Document] = found["firstBatch"]
        while self._cursor.is_open:
            documents += self._cursor.more()["nextBatch"]
        return documents


def _change(event: Mapping[str, Any]) -> Change:
    place = Live(event["_id"]["_data"], event["clusterTime"].time)
    return Change(entry_of(event["fullDocument"]), place, event["size"] + _OVERHEAD_BYTES)


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


@contextmanager
def _translated() -> Iterator[None]:
    """MongoDB's errors as ours; only a question that took too long stays what it is."""
    try:
        yield
    except ExecutionTimeout:
        raise
    except OperationFailure as error:
        if error.code in _HISTORY_LOST:
            raise GoneError from error
        if error.code in _NO_TOKEN:
            raise unknown_place() from error
        raise UnavailableError("the log store's database cannot be used now") from error
    except PyMongoError as error:
        raise UnavailableError("the log store's database cannot be used now") from error
