"""The listener's use case: deliveries in; stored entries, retries and dead letters out; and what the broker is to be told.

Nothing is settled before the log store, a retry tier or the dead letters have answered. Two threads work for the store, so that one
batch is read while another is being stored, and one for what is set aside, so that poison never holds up events.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import cycle

from common import context
from worker.batcher import Batcher, BatchLimits
from worker.domain import Delivery, Postponed, Rejected, Settlement
from worker.handlers import sort
from worker.lane import Lane
from worker.patience import FaultError, Patience, RefusedError
from worker.ports import DeadLetters, LogStore, RetryTiers
from worker.session import Session
from worker.verdict import Judge
from worker.window import Window

log = logging.getLogger(__name__)

DEFAULT_HOLD_SECONDS = 600.0
DEFAULT_STALL_SECONDS = 30.0
STORERS = 2


class _Storer:
    """A thread with its own patience: what one waits for does not hurry or slow the other."""

    def __init__(self, store: LogStore, *, hold: float, clock: Callable[[], float]) -> None:
        self.lane = Lane("store", clock=clock)
        self.patience = Patience("store", sign=self.lane.sign, clock=clock)
        self.judge = Judge(store, self.patience, hold=hold, clock=clock)


class LogIntake:
    """`begin`, `receive`, `flush`, `settlements`, `end` and `abandon` are called by the one thread that owns the channel.

    `hold`: seconds that events wait in hand for a log store that is away. `stall`: seconds without any sign of life after which a
    thread counts as hung.
    """

    def __init__(  # noqa: PLR0913 - its neighbours and its limits, each by name
        self,
        store: LogStore,
        dead_letters: DeadLetters,
        retries: RetryTiers,
        *,
        limits: BatchLimits,
        window: Window,
        hold: float = DEFAULT_HOLD_SECONDS,
        stall: float = DEFAULT_STALL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.window = window
        self._dead_letters = dead_letters
        self._retries = retries
        self._limits = limits
        self._stall = stall
        self._clock = clock
        self._storers = [_Storer(store, hold=hold, clock=clock) for _ in range(STORERS)]
        self._turns = cycle(self._storers)
        self._asiding = Lane("aside", clock=clock)
        self._aside_patience = Patience("aside", sign=self._asiding.sign, clock=clock)
        self._batcher = Batcher(limits)
        self._session = Session(wake=lambda: None)

    def start(self) -> None:
        """Call in the process that does the work: threads do not survive a fork."""
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        self.abandon()
        for lane in self._lanes:
            lane.stop()

    @property
    def _lanes(self) -> list[Lane]:
        return [*(storer.lane for storer in self._storers), self._asiding]

    def begin(self, wake: Callable[[], object]) -> None:
        """A new channel is open; whatever an older one delivered will be delivered again. A hung thread is replaced."""
        self.abandon()
        for lane in self._lanes:
            if lane.silent_for() > self._stall:
                lane.renew()
        self._batcher = Batcher(self._limits)
        self._session = Session(wake=wake)

    def receive(self, delivery: Delivery) -> None:
        ledger = self._session.ledger
        ledger.opened(delivery.tag, len(delivery.body))
        for batch in self._batcher.add(delivery):
            self._submit_batch(batch)
        if len(ledger) >= self.window.size:
            self.flush()  # nothing more can arrive before something is settled

    def refuse(self, tag: int) -> None:
        """For a delivery of which not even the properties can be read: the broker itself is to set it aside."""
        log.warning("event_unreadable")
        self._session.ledger.opened(tag)
        self._session.refuse([tag])

    def hold_back(self, tag: int) -> None:
        """For a delivery that there is no room for: until it is `given_back`, no acknowledgement of others may cover it."""
        self._session.ledger.opened(tag)

    def given_back(self, tags: Sequence[int]) -> None:
        self._session.ledger.returned(tags)

    def due_in(self) -> float | None:
        return self._batcher.due_in()

    def in_hand(self) -> int:
        return len(self._session.ledger)

    def weight(self) -> int:
        """Octets of the bodies in hand."""
        return self._session.ledger.weight

    def quiet_for(self) -> float:
        """Seconds for which messages are in hand and none was settled."""
        return self._session.ledger.quiet_for()

    def hung(self) -> bool:
        """Whether a thread gives no sign of life any more: no answer, no time-out, no other attempt."""
        return any(lane.silent_for() > self._stall for lane in self._lanes)

    def outage(self) -> str:
        """Why what is in hand only waits; empty when it does not."""
        patiences = (*(storer.patience for storer in self._storers), self._aside_patience)
        return next((patience.outage for patience in patiences if patience.outage), "")

    def flush(self) -> None:
        batch = self._batcher.take()
        if batch:
            self._submit_batch(batch)

    def settlements(self) -> list[Settlement]:
        """What has been settled since the last call."""
        return self._session.settlements()

    def end(self, seconds: float) -> None:
        """Finishes what is in hand, each with one more try at most; what is not done in time stays unsettled."""
        session = self._session
        self.flush()
        session.ending.set()
        session.wait_finished(seconds)

    def abandon(self) -> None:
        """The channel is gone: nothing of it can be settled any more."""
        self._session.lost = True
        self._session.ending.set()

    def _submit_batch(self, batch: list[Delivery]) -> None:
        session, since = self._session, self._clock()
        tags = [each.tag for each in batch]
        storer = next(self._turns)
        self._submit(storer.lane, session, tags, lambda: self._handle(storer.judge, session, batch, since))

    def _submit(self, lane: Lane, session: Session, tags: list[int], job: Callable[[], object]) -> None:
        session.job_begun()
        lane.submit(lambda: self._run(session, tags, job))

    def _run(self, session: Session, tags: list[int], job: Callable[[], object]) -> None:
        try:
            if not session.lost:
                with context.bound(context.continue_context(None, None)):
                    job()
        except Exception:
            # A fault of our own beyond all attempts: the broker's own dead-lettering keeps what is still in hand.
            log.exception("batch_failed", extra={"count": len(tags)})
            session.refuse(tags)
        finally:
            session.job_done()

    def _handle(self, judge: Judge, session: Session, batch: list[Delivery], since: float) -> None:
        accepted, rejected = sort(batch)
        if rejected:
            self._set_aside(session, rejected)
        if not accepted:
            return
        verdict = judge.decide(accepted, since=since, until=session.ending)
        session.store([each.delivery.tag for each in verdict.stored])
        log.debug("batch_stored", extra={"count": len(verdict.stored)})
        if verdict.rejected:
            self._set_aside(session, verdict.rejected)
        if verdict.postponed:
            self._postpone(session, verdict.postponed)

    def _set_aside(self, session: Session, rejected: Sequence[Rejected]) -> None:
        log.warning("events_refused", extra={"count": len(rejected), "reason": rejected[0].reason})
        tags = [each.delivery.tag for each in rejected]
        self._submit(self._asiding, session, tags, lambda: self._bury(session, rejected))

    def _postpone(self, session: Session, postponed: Sequence[Postponed]) -> None:
        first = postponed[0]
        why = first.reason or "the log store is away"
        log.warning("events_postponed", extra={"count": len(postponed), "tier": first.tier, "reason": why})
        tags = [each.delivery.tag for each in postponed]
        self._submit(
            self._asiding, session, tags, lambda: self._keep(session, tags, lambda: self._retries.keep(postponed))
        )

    def _bury(self, session: Session, rejected: Sequence[Rejected]) -> None:
        carried: list[Rejected] = []
        left: list[int] = []
        for each in rejected:
            if self._dead_letters.can_carry(each):
                carried.append(each)
            else:
                left.append(each.delivery.tag)
        session.refuse(left)
        if carried:
            tags = [each.delivery.tag for each in carried]
            self._keep(session, tags, lambda: self._dead_letters.keep(carried))

    def _keep(self, session: Session, tags: list[int], keep: Callable[[], None]) -> None:
        """Settles `tags` when they are kept. What we cannot keep is left to the broker's own dead-lettering, never forgotten."""

        def action() -> bool:
            keep()
            return True

        try:
            kept = self._aside_patience.insist(action, until=session.ending)
        except (RefusedError, FaultError) as error:
            log.error("events_left_to_the_broker", extra={"count": len(tags), "reason": str(error)})  # noqa: TRY400 - told where it happened
            session.refuse(tags)
            return
        if kept:
            session.store(tags)
