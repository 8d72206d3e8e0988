"""An entry takes the best way that is open: the protocol asked for, then the message queue, then this machine's spool.

An entry keeps its id on all of them, so one that took two because the first never answered is stored once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.domain import LogOrder, Receipt, Result, Via
from common.errors import AppError, InvalidError, TooManyError, UnavailableError

_QUEUED_INSTEAD = "queued: the log store cannot be reached"


class Way(Protocol):
    """One step of a chain: a door of the log store, the message queue, or the spool."""

    def write(self, orders: Sequence[LogOrder]) -> Sequence[Result]:
        """As LogDoor.write_many."""


@dataclass(slots=True)
class _State:
    """The results so far; `missing` are the places of the orders that nobody has taken yet, `failure` why not."""

    results: list[Receipt | InvalidError | None]
    missing: list[int]
    failure: AppError


class FallbackDelivery:
    def __init__(self, ways: Mapping[Via, Sequence[Way]]) -> None:
        """`ways`: for each protocol that may be asked for, itself and what stands in for it."""
        self._ways = ways

    def deliver(self, orders: Sequence[LogOrder], via: Via) -> list[Receipt | InvalidError]:
        """One result for each order, in order; returns when all that are taken are durable where their receipts say.

        Raises TooManyError when the one asked for has no room now, and UnavailableError when no way is open. What was refused by the last
        way after others had been taken is told as an InvalidError in its place.
        """
        state = _State([None] * len(orders), list(range(len(orders))), UnavailableError("no way is open"))
        for step, way in enumerate(self._ways[via]):
            self._take(way, orders, state, first=step == 0)
            if not state.missing:
                break
        return self._finished(state)

    def _take(self, way: Way, orders: Sequence[LogOrder], state: _State, *, first: bool) -> None:
        left = orders if len(state.missing) == len(orders) else [orders[place] for place in state.missing]
        answers: Sequence[Result]
        try:
            answers = way.write(left)
        except AppError as error:
            answers = [error] * len(left)
        full = [answer for answer in answers if isinstance(answer, TooManyError)]
        if first and len(full) == len(left):
            raise full[0]  # the store is there and has no room: the writer should slow down, which a queue would hide
        missing: list[int] = []
        for place, answer in zip(state.missing, answers, strict=True):
            if isinstance(answer, Receipt):
                state.results[place] = answer if first else _degraded(answer)
            elif isinstance(answer, InvalidError):
                state.results[place] = answer
            else:
                missing.append(place)
                state.failure = answer
        state.missing = missing

    def _finished(self, state: _State) -> list[Receipt | InvalidError]:
        if state.missing:
            message = f"neither the log store nor the message queue can be reached, and {state.failure.message}"
            if all(result is None for result in state.results):
                raise UnavailableError(message, retry_after=5) from state.failure
            for place in state.missing:
                state.results[place] = InvalidError(f"not taken: {message}")
        return [result for result in state.results if result is not None]


def _degraded(receipt: Receipt) -> Receipt:
    """The queue does not know that it stands in for the store; the spool always does."""
    return Receipt(receipt.fate, _QUEUED_INSTEAD, receipt.via) if receipt.via == Via.AMQP else receipt
