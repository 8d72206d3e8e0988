"""The indexes of the collection: what they are, how they come about, and which one serves a filter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import pymongo
from pymongo import DESCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from common.mongo import Document
from logger.mongo.documents import UNSEALED
from logger.query.filters import Filter, at_least

log = logging.getLogger(__name__)

NEWEST_FIRST, BY_NAME, BY_LEVEL, BY_TRACE, BY_ID = "newest_first", "by_name", "by_level", "by_trace", "_id_"
BY_CATEGORY, WAITING = "by_category", "unsealed"

# About one entry in ten: an index over all of them would cost every insert and find the frequent levels no faster.
RARE_LEVELS = at_least("WARNING")
RARER_LEVELS = frozenset(at_least("ERROR"))

_IN_ORDER = [("created_at", DESCENDING), ("_id", DESCENDING)]
INDEXES = (
    IndexModel(_IN_ORDER, name=NEWEST_FIRST),
    IndexModel([("name", 1), *_IN_ORDER], name=BY_NAME),
    # name and service at the end: an entry of another name or service is passed over without being read
    IndexModel(
        [("level", 1), *_IN_ORDER, ("name", 1), ("service", 1)],
        name=BY_LEVEL,
        partialFilterExpression={"level": {"$in": [*RARE_LEVELS]}},
    ),
    IndexModel([("trace_id", 1)], name=BY_TRACE, partialFilterExpression={"trace_id": {"$gt": ""}}),
    # of audit entries only, so that all others cost nothing
    IndexModel([("category", 1), *_IN_ORDER], name=BY_CATEGORY, partialFilterExpression={"category": {"$gt": ""}}),
    IndexModel([(UNSEALED, 1)], name=WAITING, partialFilterExpression={UNSEALED: {"$exists": True}}),
)

# What makes one index another one; all else (version, background) does not change what it finds.
_DEFINITION = ("key", "unique", "sparse", "partialFilterExpression", "expireAfterSeconds", "collation", "hidden")
# Of the commands on indexes and of a query whose hint names none, or one that does not hold all it may find.
_NOT_FOUND, _BAD_VALUE, _NO_PLAN = 27, 2, 291
# Building goes on in the server while the service works; some hundred million entries are done in this time.
_BUILD_SECONDS = 6 * 3600

State = Literal["present", "missing", "different", "unknown"]
T = TypeVar("T")


class IndexFinding(NamedTuple):
    """`size`: bytes on disk; 0 when it is not there. `unknown`: nobody here declares it, and it is left alone."""

    name: str
    state: State
    size: int


def check_indexes(collection: Collection[Document]) -> list[IndexFinding]:
    """One finding for each index that is declared or there. Raises pymongo's errors."""
    present = _present(collection)
    sizes = _sizes(collection) if present else {}
    declared = {index.document["name"]: index.document for index in INDEXES}
    findings = []
    for name, document in declared.items():
        found = present.get(name)
        state: State = "missing" if found is None else "present" if _same(found, document) else "different"
        findings.append(IndexFinding(name, state, sizes.get(name, 0)))
    others = sorted(present.keys() - declared.keys())
    return findings + [
        IndexFinding(name, "present" if name == BY_ID else "unknown", sizes.get(name, 0)) for name in others
    ]


def prepare(collection: Collection[Document]) -> None:
    """Creates the indexes that are not there, and builds those again that are declared otherwise than they are.

    Several processes may do so at once. Returns when all are built; meanwhile entries are stored and found. Raises pymongo's errors.
    """
    present = _present(collection)
    declared = {index.document["name"]: index.document for index in INDEXES}
    changed = [name for name, document in declared.items() if name in present and not _same(present[name], document)]
    for name in changed:
        _drop(collection, present[name])
    if unknown := sorted(present.keys() - declared.keys() - {BY_ID}):
        log.info("indexes_unknown", extra={"indexes": unknown})
    with pymongo.timeout(_BUILD_SECONDS):
        collection.create_indexes(list(INDEXES))
    for name in changed:
        log.info("index_rebuilt", extra={"index": name})


def index_for(wanted: Filter) -> str:
    """The index that leads to the fewest entries which do not match."""
    if wanted.values_of("id"):
        return BY_ID
    traces = wanted.values_of("trace_id")
    if traces and "" not in traces:
        return BY_TRACE
    if wanted.values_of("category"):
        return BY_CATEGORY
    levels = set(wanted.values_of("level"))
    names = wanted.values_of("name")
    if levels and (levels <= RARER_LEVELS or (levels <= set(RARE_LEVELS) and not names)):
        return BY_LEVEL
    return BY_NAME if names else NEWEST_FIRST


def hinted(ask: Callable[[str | None], T], index: str) -> T:
    """What `ask(hint)` returns with the index; while that is missing, with whatever the database finds best."""
    try:
        return ask(index)
    except OperationFailure as error:
        if error.code not in {_BAD_VALUE, _NO_PLAN}:
            raise
        return ask(None)


def _present(collection: Collection[Document]) -> dict[str, Mapping[str, Any]]:
    return {index["name"]: index for index in collection.list_indexes()}


def _same(found: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    return _definition(found) == _definition(declared)


def _definition(index: Mapping[str, Any]) -> dict[str, Any]:
    definition = {part: index[part] for part in _DEFINITION if index.get(part)}
    # the order of the keys matters, and the server may answer whole numbers as doubles
    return {**definition, "key": [(field, int(direction)) for field, direction in index["key"].items()]}


def _drop(collection: Collection[Document], found: Mapping[str, Any]) -> None:
    """By its keys, not by its name: under that another process may already be building the new one."""
    try:
        # the driver's own method makes a name of the keys
        collection.database.command("dropIndexes", collection.name, index=found["key"])
    except OperationFailure as error:
        if error.code != _NOT_FOUND:
            raise


def _sizes(collection: Collection[Document]) -> dict[str, int]:
    (statistics,) = collection.aggregate(
        [{"$collStats": {"storageStats": {}}}, {"$project": {"sizes": "$storageStats.indexSizes"}}],
        maxTimeMS=5_000,
    )
    return dict(statistics["sizes"])
