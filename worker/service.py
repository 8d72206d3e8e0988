"""The listener's use case: deliveries in, stored entries and dead letters out, and the settlements that the broker is to be told.

Nothing is settled before the log store or the dead letters have answered. Two threads work: one for the store and one for the dead
letters, so that poison never holds up events.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from common import context
from worker.batcher import Batcher, BatchLimits
from worker.domain import Accepted, Delivery, Rejected, Settlement
from worker.handlers import sort
from worker.ledger import Ledger
from worker.patience import HopelessError, insist
from worker.ports import DeadLetters, LogStore

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Session:
    """Everything that belongs to one channel: a tag of an old channel means another message on a new one.

    `wake` makes the thread that owns the channel call `LogIntake.settlements`; it is called from other threads.
    `ending` stops further tries, `lost` work that nobody could settle any more.
    """

    wake: Callable[[], object]
    ledger: Ledger = field(default_factory=Ledger)
    stored: deque[list[int]] = field(default_factory=deque)
    refused: deque[list[int]] = field(default_factory=deque)
    ending: threading.Event = field(default_factory=threading.Event)
    lost: bool = False
    jobs: int = 0
    finished: threading.Condition = field(default_factory=threading.Condition)


class LogIntake:
    """`begin`, `receive`, `flush`, `settlements`, `end` and `abandon` are called by the one thread that owns the channel."""

    def __init__(self, store: LogStore, dead_letters: DeadLetters, *, limits: BatchLimits, prefetch: int) -> None:
        self.prefetch = prefetch
        self._store = store
        self._dead_letters = dead_letters
        self._limits = limits
        self._batcher = Batcher(limits)
        self._session = _Session(wake=lambda: None)
        self._store_thread: ThreadPoolExecutor | None = None
        self._dead_thread: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Call in the process that does the work: threads do not survive a fork."""
        self._store_thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._dead_thread = ThreadPoolExecutor(1, thread_name_prefix="dead-letters")

    def stop(self) -> None:
        self.abandon()
        for thread in (self._store_thread, self._dead_thread):
            if thread is not None:
                thread.shutdown(wait=False, cancel_futures=True)

    def begin(self, wake: Callable[[], object]) -> None:
        """A new channel is open; whatever an older one delivered will be delivered again."""
        self.abandon()
        self._batcher = Batcher(self._limits)
        self._session = _Session(wake=wake)

    def receive(self, delivery: Delivery) -> None:
        self._session.ledger.opened(delivery.tag)
        for batch in self._batcher.add(delivery):
            self._submit_batch(batch)
        if len(self._session.ledger) >= self.prefetch:
            self.flush()  # nothing more can arrive before something is settled

    def refuse(self, tag: int) -> None:
        """For a delivery of which not even the properties can be read: the broker itself is to set it aside."""
        log.warning("event_unreadable")
        self._session.ledger.opened(tag)
        self._settle(self._session, self._session.refused, [tag])

    def due_in(self) -> float | None:
        return self._batcher.due_in()

    def in_hand(self) -> int:
        return len(self._session.ledger)

    def flush(self) -> None:
        batch = self._batcher.take()
        if batch:
            self._submit_batch(batch)

    def settlements(self) -> list[Settlement]:
        """What has been settled since the last call."""
        session = self._session
        stored = [tag for _ in range(len(session.stored)) for tag in session.stored.popleft()]
        refused = [tag for _ in range(len(session.refused)) for tag in session.refused.popleft()]
        # The refused first, so that one acknowledgement can stand for all that lies around them.
        return session.ledger.refused(refused) + session.ledger.stored(stored)

    def end(self, seconds: float) -> None:
        """Finishes what is in hand, each with one more try at most; what is not done in time stays unsettled."""
        session = self._session
        self.flush()
        session.ending.set()
        with session.finished:
            session.finished.wait_for(lambda: session.jobs == 0, timeout=seconds)

    def abandon(self) -> None:
        """The channel is gone: nothing of it can be settled any more."""
        self._session.lost = True
        self._session.ending.set()

    def _submit_batch(self, batch: list[Delivery]) -> None:
        session = self._session
        self._submit(self._store_thread, session, lambda: self._handle(session, batch))

    def _submit(self, thread: ThreadPoolExecutor | None, session: _Session, job: Callable[[], object]) -> None:
        if thread is None:
            raise RuntimeError("the intake has not been started")
        with session.finished:
            session.jobs += 1
        thread.submit(self._run, session, job)

    def _run(self, session: _Session, job: Callable[[], object]) -> None:
        try:
            if not session.lost:
                with context.bound(context.continue_context(None, None)):
                    job()
        except Exception:
            log.exception("batch_failed")
        finally:
            with session.finished:
                session.jobs -= 1
                session.finished.notify_all()

    def _handle(self, session: _Session, batch: list[Delivery]) -> None:
        accepted, rejected = sort(batch)
        if rejected:
            self._bury(session, rejected)
        if accepted:
            self._keep(session, accepted)

    def _keep(self, session: _Session, accepted: Sequence[Accepted]) -> None:
        entries = [each.entry for each in accepted]
        try:
            reasons = insist(lambda: self._store.write(entries), until=session.ending, what="store")
        except HopelessError as error:
            self._isolate(session, accepted, str(error))
            return
        if reasons is None:
            return
        refused = [Rejected(each.delivery, reason) for each, reason in zip(accepted, reasons, strict=True) if reason]
        kept = [each.delivery.tag for each, reason in zip(accepted, reasons, strict=True) if not reason]
        log.debug("batch_stored", extra={"count": len(kept)})
        self._settle(session, session.stored, kept)
        if refused:
            self._bury(session, refused)

    def _isolate(self, session: _Session, accepted: Sequence[Accepted], reason: str) -> None:
        """One entry makes the whole call fail: halves find it without giving up the others."""
        if len(accepted) == 1:
            self._bury(session, [Rejected(accepted[0].delivery, reason)])
            return
        middle = len(accepted) // 2
        self._keep(session, accepted[:middle])
        self._keep(session, accepted[middle:])

    def _bury(self, session: _Session, rejected: Sequence[Rejected]) -> None:
        log.warning("events_refused", extra={"count": len(rejected), "reason": rejected[0].reason})
        self._submit(self._dead_thread, session, lambda: self._set_aside(session, rejected))

    def _set_aside(self, session: _Session, rejected: Sequence[Rejected]) -> None:
        carried: list[Rejected] = []
        for each in rejected:
            if self._dead_letters.can_carry(each):
                carried.append(each)
            else:
                self._settle(session, session.refused, [each.delivery.tag])
        if not carried:
            return

        def keep() -> bool:
            self._dead_letters.keep(carried)
            return True

        if insist(keep, until=session.ending, what="dead letters"):
            self._settle(session, session.stored, [each.delivery.tag for each in carried])

    def _settle(self, session: _Session, where: deque[list[int]], tags: list[int]) -> None:
        if tags:
            where.append(tags)
            session.wake()
