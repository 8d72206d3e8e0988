"""The last way of a log entry: a file of this machine, from which it is brought to the store as soon as somebody takes it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from broker.clients.entry_json import from_record, to_record
from broker.domain import SPOOL, LogOrder, Receipt, Result
from broker.ports import LogDoor
from common.errors import AppError, InvalidError
from common.spool.replay import Replayer
from common.spool.spool import Spool

log = logging.getLogger(__name__)

_SPOOLED = Receipt("spooled", "spooled: neither the log store nor the message queue can be reached", SPOOL)


class LocalSpool:
    """Keeps entries, and replays them through `doors`: those that the first does not take go to the next."""

    def __init__(self, spool: Spool, doors: Sequence[LogDoor]) -> None:
        self._spool = spool
        self._doors = doors
        self._replayer = Replayer(spool, self.deliver)

    def start(self) -> None:
        """Call after the fork."""
        self._spool.start()
        self._replayer.start()

    def stop(self) -> None:
        self._replayer.stop()
        self._spool.stop()

    def write(self, orders: Sequence[LogOrder]) -> Sequence[Result]:
        """Returns when all are on the disk. Raises TooManyError, UnavailableError or DeadlineError for all of them."""
        self._spool.append(list(map(to_record, orders)))
        self._replayer.notify()
        return [_SPOOLED] * len(orders)

    def deliver(self, records: Sequence[bytes]) -> list[str | None]:
        """For each record None when it is taken for good, or why it never will be. Raises AppError when some must come again."""
        reasons: list[str | None] = [None] * len(records)
        waiting: dict[int, LogOrder] = {}
        for place, record in enumerate(records):
            try:
                waiting[place] = from_record(record)
            except (ValueError, TypeError):
                reasons[place] = "not a log entry"
        failure: AppError | None = None
        for door in self._doors:
            failure = _hand_over(door, waiting, reasons) if waiting else None
        if failure is not None:
            raise failure
        return reasons


def _hand_over(door: LogDoor, waiting: dict[int, LogOrder], reasons: list[str | None]) -> AppError | None:
    """Takes out of `waiting` what the door took or refuses for ever; why it did not take the rest."""
    places = list(waiting)
    results: Sequence[Result]
    try:
        results = door.write_many(list(waiting.values()))
    except AppError as error:
        return error
    failure: AppError | None = None
    for place, result in zip(places, results, strict=True):
        if isinstance(result, AppError) and not isinstance(result, InvalidError):
            failure = result
            continue
        if isinstance(result, InvalidError):
            reasons[place] = result.message
        del waiting[place]
    return failure
