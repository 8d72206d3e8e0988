"""Sealing: gives every audit entry its link, in the order in which entries were stored. A chore of the keeper.

A link is durable before its entry's mark is taken away, so an entry is found again whatever happens in between, and then known by its
link. Two that seal at the same time, which the keeper's lease excludes, would both want to follow the same link: the index refuses one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from common.clock import Clock
from common.mongo import Document, mongo_may_be_away
from logger.audit import seal
from logger.mongo.audit_trail import CHAIN, INDEXES, MongoAuditTrail, document_of
from logger.mongo.canonical import READING, hash_of
from logger.mongo.documents import COLLECTION, UNSEALED
from logger.mongo.indexes import WAITING, hinted

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PORTION = 500
QUERY_MS = 5_000
DUPLICATE_KEY = 11000


class AuditSealer:
    """A Chore, see logger/keeping/keeper.py."""

    name = "audit"
    look = LOOK_SECONDS

    def __init__(self, database: Database[Document], clock: Clock, *, portion: int = PORTION) -> None:
        self._chain: Collection[Document] = database[CHAIN]
        self._logs: Collection[Document] = database[COLLECTION].with_options(codec_options=READING)
        self._trail = MongoAuditTrail(database)
        self._clock = clock
        self._portion = portion
        self._prepared = False
        self._sealed = 0
        self._refused = False

    def progress(self) -> Mapping[str, Any]:
        """`sealed`: by this process; `refused`: the last links could not be put behind the chain."""
        return {"sealed": self._sealed, "refused": self._refused}

    def step(self) -> bool:
        """Seals one portion. Raises UnavailableError; nothing is lost or sealed twice then."""
        with mongo_may_be_away("the log store's database cannot be used now"):
            return self._step()

    def _step(self) -> bool:
        if not self._prepared:
            self._chain.create_indexes(list(INDEXES))
            self._prepared = True
        waiting = self._waiting()
        if not waiting:
            return False
        new = self._without_link(waiting)
        if new and not self._append(new):
            return False
        self._unmark(list(waiting))
        self._sealed += len(new)
        return len(waiting) == self._portion

    def _waiting(self) -> dict[ObjectId, str]:
        """The hashes of the next entries. What is marked is sealed, whatever it is: a change that took away its category shows so."""

        def ask(hint: str | None) -> dict[ObjectId, str]:
            found = self._logs.find(
                {UNSEALED: {"$exists": True}},
                sort=[(UNSEALED, 1)],
                limit=self._portion,
                hint=hint,
                max_time_ms=QUERY_MS,
            )
            return {each["_id"]: hash_of(each) for each in found}

        return hinted(ask, WAITING)

    def _without_link(self, waiting: Mapping[ObjectId, str]) -> dict[ObjectId, str]:
        """A keeper that was killed may have left entries that have their link already."""
        found = self._chain.find({"entry": {"$in": list(waiting)}}, {"entry": 1, "_id": 0}, max_time_ms=QUERY_MS)
        linked = {each["entry"] for each in found}
        return {key: entry_hash for key, entry_hash in waiting.items() if key not in linked}

    def _append(self, new: Mapping[ObjectId, str]) -> bool:
        """False when another keeper was first, or somebody changed the chain so that nothing can follow its end."""
        today = self._clock.now().strftime("%Y-%m-%d")
        links = seal(self._trail.last(), today, [(str(key), entry_hash) for key, entry_hash in new.items()])
        try:
            self._chain.insert_many(map(document_of, links), ordered=True)
        except BulkWriteError as error:
            codes = [failure["code"] for failure in error.details.get("writeErrors", ())]
            if codes != [DUPLICATE_KEY]:
                raise
            if not self._refused:
                log.warning("audit_links_refused", extra={"link": links[0].name, "count": len(links)})
            self._refused = True
            return False
        self._refused = False
        return True

    def _unmark(self, keys: Sequence[ObjectId]) -> None:
        self._logs.update_many({"_id": {"$in": keys}, UNSEALED: {"$exists": True}}, {"$unset": {UNSEALED: ""}})
