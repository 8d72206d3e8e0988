"""Tells the blocks of entries that came or went after they were made: a block that was told is believed no more, and made anew.

An entry is late when the keeper may have made a block of its time already, see docs/adr/0012-blocks.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from unicodedata import unidata_version

from pymongo.collection import Collection
from pymongo.database import Database

from common.mongo import Document
from logger.mongo.indexes import hinted
from logger.mongo.windows import BEGINNING, END, MILLISECOND, Window

COLLECTION = "log_blocks"
BY_STATE = "by_state"

# What a block is: believed; being made; or to be made anew, when it is as good as none. A block that was made by other rules, of what a
# word is and how its bits are laid out, is not believed: the number goes up with each change of `logger.keeping.bloom` or `folded_words`.
FRESH, BUILDING, STALE = f"fresh 1, Unicode {unidata_version}", "building", "stale"

# Blocks are only made of times that lie so far back, ...
SETTLING = timedelta(seconds=60)
# ... and whatever is stored at an older time than this tells the blocks. The difference is what clocks may differ, and readings last.
LATE = timedelta(seconds=30)

# Late entries of one batch are told as so many ranges of time at most.
MOST_RANGES = 16


class BlockMarks:
    def __init__(self, database: Database[Document]) -> None:
        self._blocks: Collection[Document] = database[COLLECTION]

    def note(self, created: Iterable[datetime], *, now: datetime | None = None) -> None:
        """Entries with these times have been stored; call it before that is acknowledged. Costs nothing when none is late.

        Raises pymongo's errors; the entries must then not be acknowledged.
        """
        border = (now or datetime.now(UTC)) - LATE
        late = {moment for moment in created if moment < border}
        if late:
            for window in _ranges(sorted(late)):
                self._mark(window)

    def note_range(self, since: datetime | None, until: datetime | None) -> None:
        """Entries in this range were changed, deleted, or stored by something that called no `note`.

        Deleting: call it before, so that a crash leaves no wrong count, and after, in case the keeper was at work in between.
        """
        self._mark(Window(since or BEGINNING, until or END))

    def _mark(self, window: Window) -> None:
        # Those that are stale already need no write: the keeper reads the entries after it has made them something else. The index
        # leads from building to fresh, the way a block may go meanwhile, so none slips through; also what other versions made is marked.
        covering = {
            "state": {"$ne": STALE},
            "until": {"$gt": window.since},
            "_id": {"$lt": window.until},
        }
        hinted(lambda hint: self._blocks.update_many(covering, {"$set": {"state": STALE}}, hint=hint), BY_STATE)


def _ranges(moments: Sequence[datetime]) -> list[Window]:
    """As few ranges as hold all the moments without the widest gaps between them. `moments` are in order."""
    steps = range(1, len(moments))
    gaps = sorted(steps, key=lambda index: moments[index] - moments[index - 1], reverse=True)[: MOST_RANGES - 1]
    # neighbours of a few seconds lie in the same block as a rule
    cuts = sorted(index for index in gaps if moments[index] - moments[index - 1] > timedelta(seconds=5))
    edges = [0, *cuts, len(moments)]
    return [Window(moments[first], moments[after - 1] + MILLISECOND) for first, after in pairwise(edges)]
