"""What becomes of a batch: stored, set aside, or tried again later. One bad entry never decides about the others."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from worker.domain import Accepted, Postponed, Rejected
from worker.history import PARKING_TIER, TIERS, deliveries_before, next_tier
from worker.patience import TRIES_AFTER_FAULT, FaultError, OutageError, Patience, RefusedError
from worker.ports import LogStore

log = logging.getLogger(__name__)

# How long the good entries of a failing batch are looked for; what has not been tried alone by then is tried again soon, uncounted.
ISOLATING_SECONDS = 10.0
# RabbitMQ gives a message up after 20 deliveries; a fresh copy starts from 0, so that restarts during an outage give up none.
WORN_DELIVERIES = 10


@dataclass(slots=True)
class Verdict:
    """What is in none of the lists is undecided, because the session ends."""

    stored: list[Accepted] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)

    def park(self, accepted: Sequence[Accepted], tier: str) -> None:
        self.postponed += [Postponed(each.delivery, each.entry.id, tier) for each in accepted]

    def climb(self, one: Accepted, reason: str) -> None:
        """To its next retry tier, or to the dead letters after the last."""
        tier = next_tier(one.delivery.headers)
        if tier is None:
            self.rejected.append(Rejected(one.delivery, reason, one.entry.id))
        else:
            self.postponed.append(Postponed(one.delivery, one.entry.id, tier, reason))


class Judge:
    """`hold` is the time in seconds that a batch waits for a log store that is away, counted from its arrival."""

    def __init__(
        self, store: LogStore, patience: Patience, *, hold: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._patience = patience
        self._hold = hold
        self._clock = clock

    def decide(self, accepted: Sequence[Accepted], *, since: float, until: threading.Event) -> Verdict:
        """Returns when all is decided or `until` is set. A fault in here is the batch's own: it climbs."""
        verdict = Verdict()
        groups = deque([accepted])
        try:
            self._work(groups, verdict, since, until)
        except Exception as error:
            log.exception("batch_failed")
            for each in (one for group in groups for one in group):
                verdict.climb(each, f"could not be handled: {type(error).__name__}")
        return verdict

    def _work(self, groups: deque[Sequence[Accepted]], verdict: Verdict, since: float, until: threading.Event) -> None:
        """A group leaves `groups` when it is decided. Halves find the entry that makes a whole call fail."""
        tries = TRIES_AFTER_FAULT
        end = float("inf")
        while groups:
            group = groups[0]
            if self._clock() > end:
                verdict.park(group, TIERS[0])
                groups.popleft()
                continue
            try:
                if not self._attempt(group, verdict, since, until, tries):
                    return
            except OutageError:
                verdict.park(group, PARKING_TIER)
            except (RefusedError, FaultError) as error:
                if len(group) > 1:
                    middle = len(group) // 2
                    groups.insert(1, group[middle:])
                    groups.insert(1, group[:middle])
                elif isinstance(error, RefusedError):
                    verdict.rejected.append(Rejected(group[0].delivery, str(error), group[0].entry.id))
                else:
                    verdict.climb(group[0], str(error))
                end = min(end, self._clock() + ISOLATING_SECONDS)
            groups.popleft()
            tries = 1

    def _attempt(
        self, group: Sequence[Accepted], verdict: Verdict, since: float, until: threading.Event, tries: int
    ) -> bool:
        entries = [each.entry for each in group]

        def give_up_at() -> float:
            worn = any(deliveries_before(each.delivery.headers) >= WORN_DELIVERIES for each in group)
            return since if worn else since + self._hold

        reasons = self._patience.insist(
            lambda: self._store.write(entries), until=until, give_up_at=give_up_at, tries=tries
        )
        if reasons is None:
            return False
        if len(reasons) != len(group):
            raise ValueError("the log store did not answer for every entry")
        for each, reason in zip(group, reasons, strict=True):
            if reason:
                verdict.rejected.append(Rejected(each.delivery, reason, each.entry.id))
            else:
                verdict.stored.append(each)
        return True
