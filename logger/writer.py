"""The log store's group commit: entries that arrive at the same time, through whatever door, are stored by one durable insert."""

from __future__ import annotations

from collections.abc import Sequence

from common.combining import Combiner, Limits
from logger.domain import LogEntry
from logger.ports import LogStore
from protos.limits import MAX_FIELDS_BYTES


class LogWriter:
    """Thread-safe."""

    def __init__(self, store: LogStore, limits: Limits | None = None) -> None:
        self._combiner: Combiner[LogEntry, bool] = Combiner(
            store.insert, what="the log store", weigh=_weight, limits=limits
        )
        self.start = self._combiner.start
        self.stop = self._combiner.stop

    @property
    def pending(self) -> int:
        """Entries that wait or are being written."""
        return self._combiner.pending

    def write(self, entries: Sequence[LogEntry]) -> Sequence[bool]:
        """Returns when all entries are durable; False where the id was in the store before.

        Raises TooManyError (nothing taken), UnavailableError, or DeadlineError (unknown whether stored; the same ids may be sent again).
        """
        return self._combiner.submit(entries)


def _weight(entry: LogEntry) -> int:
    # fields are 64 KiB of JSON at most; what they are exactly would cost more to find out than it is worth
    return len(entry.data) if entry.fields is None else len(entry.data) + MAX_FIELDS_BYTES // 16
