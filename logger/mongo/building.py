"""Makes the blocks, oldest first: the keeper's chore. Why no entry is ever missed stands in docs/adr/0012-blocks.md."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from common.mongo import Document, mongo_may_be_away
from logger.mongo.blocks import INDEXES
from logger.mongo.contents import Contents, Limits
from logger.mongo.documents import COLLECTION as LOGS
from logger.mongo.marks import BUILDING, BY_STATE, COLLECTION, FRESH, SETTLING
from logger.mongo.windows import MILLISECOND, UNDATED, Window

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
# So often all blocks are looked through for what no mark tells of.
AUDIT_SECONDS = 600.0
QUERY_MS = 8_000


class Gap(NamedTuple):
    """A range without blocks. An `open` one ends at the present: its last entries wait until there are enough for a block."""

    since: datetime
    until: datetime
    open: bool


class Claim(NamedTuple):
    """The right to say what is in this range, as long as nothing is stored in it meanwhile."""

    window: Window
    token: ObjectId


class BlockBuilder:
    """A Chore, see logger/keeping/keeper.py. `clock` tells the time, aware."""

    name = "blocks"
    look = LOOK_SECONDS

    def __init__(
        self,
        database: Database[Document],
        *,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        settling: timedelta = SETTLING,
    ) -> None:
        self._database = database
        self._logs: Collection[Document] = database[LOGS]
        self._blocks: Collection[Document] = database[COLLECTION]
        self._limits = limits or Limits()
        self._clock = clock
        self._settling = settling
        self._gaps: deque[Gap] = deque()
        self._audited = float("-inf")
        self._end = UNDATED.until
        self._caught_up = False

    def progress(self) -> dict[str, Any]:
        """For people and for tests: whether every settled entry is in a block, and up to when."""
        until = None if self._end <= UNDATED.until else self._end
        return {"caught_up": self._caught_up, "until": until}

    def step(self) -> bool:
        """Makes one block. Raises UnavailableError."""
        with mongo_may_be_away("the log store's database cannot be used now"):
            return self._step()

    def _step(self) -> bool:
        if not self._gaps:
            self._gaps = self._found()
        built = bool(self._gaps) and self._built_in(self._gaps.popleft())
        # after a block has been made it takes another look to be sure that nothing is left
        self._caught_up = not built and not self._gaps
        return not self._caught_up

    def _found(self) -> deque[Gap]:
        """What is to be done now, oldest first: the times of blocks that are not fresh, which are dropped, and the present."""
        stale = [each["_id"] for each in self._blocks.find({"state": {"$ne": FRESH}}, {"_id": 1}, max_time_ms=QUERY_MS)]
        if stale:
            self._blocks.delete_many({"_id": {"$in": stale}, "state": {"$ne": FRESH}})
        now = time.monotonic()
        gaps: deque[Gap] = deque()
        if stale or now - self._audited >= AUDIT_SECONDS:
            self._blocks.create_indexes(INDEXES)
            # before, since what is found may call for another look
            self._audited = now
            gaps.extend(self._between_blocks())
        settled = self._settled()
        if self._end < settled:
            gaps.append(Gap(self._end, settled, open=True))
        return gaps

    def _between_blocks(self) -> Iterator[Gap]:
        """Also sees where the last block ends, and drops blocks that overlap others: two keepers may have met."""
        fresh = self._blocks.find(
            {"state": FRESH}, {"until": 1}, sort=[("until", 1), ("_id", 1)], hint=BY_STATE, max_time_ms=QUERY_MS
        )
        end = UNDATED.until
        for block in fresh:
            if block["_id"] < end:
                self._blocks.delete_one({"_id": block["_id"], "until": block["until"]})
                self._audited = float("-inf")
                continue
            if block["_id"] > end:
                yield Gap(end, block["_id"], open=False)
            end = block["until"]
        self._end = end

    def _settled(self) -> datetime:
        """Before this time entries come late only. The earlier one of two clocks is asked."""
        server = self._database.command("hello", maxTimeMS=2_000, codec_options=self._database.codec_options)
        there: datetime = server["localTime"]
        moment = min(there, self._clock()) - self._settling
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def _built_in(self, gap: Gap) -> bool:
        """Makes a block at the beginning of the gap, and leaves the rest of it for later. False when nothing is to be done there now."""
        until = self._border(gap)
        if until is None:
            return False
        claim = self._claim(Window(gap.since, until))
        if claim is None:
            # another keeper's; what it is is seen in the next round
            self._audited = float("-inf")
            return False
        contents = self._read(claim)
        self._finish(claim, contents)
        self._end = max(self._end, contents.until)
        if contents.until < gap.until:
            self._gaps.appendleft(gap._replace(since=contents.until))
        return True

    def _border(self, gap: Gap) -> datetime | None:
        """Where the next block ends; None when the present has not enough entries for a whole one."""
        size = self._limits.entries
        if not gap.open and self._time_of(gap, 2 * size) is None:
            return gap.until
        moment = self._time_of(gap, size)
        # entries of the same millisecond are never parted
        return None if moment is None else max(moment, gap.since + MILLISECOND)

    def _time_of(self, gap: Gap, index: int) -> datetime | None:
        within = {"created_at": {"$gte": gap.since, "$lt": gap.until}}
        found = self._logs.find(
            within, {"created_at": 1, "_id": 0}, sort=[("created_at", 1)], skip=index, limit=1, max_time_ms=QUERY_MS
        )
        return next((each["created_at"] for each in found), None)

    def _claim(self, window: Window) -> Claim | None:
        """Before anything is read: what is stored from now on marks the block, what was stored before is read."""
        claim = Claim(window, ObjectId())
        block = {"_id": window.since, "until": window.until, "state": BUILDING, "claim": claim.token}
        try:
            self._blocks.insert_one(block)
        except DuplicateKeyError:
            return None
        return claim

    def _read(self, claim: Claim) -> Contents:
        window = claim.window
        contents = Contents(window, self._limits)
        entries = self._logs.find(
            {"created_at": {"$gte": window.since, "$lt": window.until}},
            {"_id": 0, "created_at": 1, "data": 1, "name": 1, "level": 1, "service": 1},
            sort=[("created_at", 1)],
            max_time_ms=QUERY_MS,
        )
        with entries:
            for entry in entries:
                if not contents.add(entry):
                    break
        return contents

    def _finish(self, claim: Claim, contents: Contents) -> bool:
        """False when entries were stored meanwhile, or another keeper took over: then the block is made again."""
        done = self._blocks.update_one(
            {"_id": claim.window.since, "state": BUILDING, "claim": claim.token},
            {"$set": {"state": FRESH, **contents.as_document()}, "$unset": {"claim": ""}},
        )
        if not done.matched_count:
            log.debug("block_given_up", extra={"since": claim.window.since})
        return bool(done.matched_count)
