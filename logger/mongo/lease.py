"""Which of several keepers works, as a document that the one who works renews. Times are the database's own."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from secrets import token_hex

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from common.mongo import Document, mongo_may_be_away

log = logging.getLogger(__name__)

COLLECTION = "log_keeper"
KEY = "keeper"
# A keeper that is gone without a word is replaced after so many seconds.
TERM_SECONDS = 30.0


class MongoLease:
    """Thread-safe."""

    def __init__(
        self,
        database: Database[Document],
        *,
        term: float = TERM_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collection = database[COLLECTION]
        self._term = term
        self._clock = clock
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
        self._renew_at = float("-inf")
        self._has = False
        self._lock = threading.Lock()

    @property
    def has(self) -> bool:
        """Whether it was held when it was last asked for."""
        return self._has

    def held(self) -> bool:
        """Renews at a third of the term, so that a pause of the process of two thirds costs nothing. Raises UnavailableError."""
        with self._lock, mongo_may_be_away("the lease cannot be renewed now"):
            if not self._has or self._clock() >= self._renew_at:
                asked = self._clock()
                has = self._take()
                if has != self._has:
                    log.info("lease_taken" if has else "lease_lost", extra={"owner": self._owner})
                self._has, self._renew_at = has, asked + self._term / 3
            return self._has

    def give_up(self) -> None:
        """Without the database it runs out by itself."""
        with self._lock:
            self._has = False
            try:
                self._collection.delete_one({"_id": KEY, "owner": self._owner})
            except PyMongoError as error:
                log.warning("lease_not_given_up", extra={"reason": type(error).__name__})

    def _take(self) -> bool:
        mine = {"$literal": self._owner}
        # what is not there is less than any time
        free = {"$or": [{"$eq": ["$owner", mine]}, {"$lt": ["$until", "$$NOW"]}]}
        until = {"$add": ["$$NOW", round(self._term * 1000)]}
        chosen = {"owner": {"$cond": [free, mine, "$owner"]}, "until": {"$cond": [free, until, "$until"]}}
        try:
            lease = self._collection.find_one_and_update(
                {"_id": KEY}, [{"$set": chosen}], upsert=True, return_document=ReturnDocument.AFTER, maxTimeMS=2_000
            )
        except DuplicateKeyError:  # two began at the same time
            return False
        return lease is not None and lease["owner"] == self._owner
