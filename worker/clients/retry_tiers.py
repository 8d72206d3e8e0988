"""Puts messages into the queues from which RabbitMQ gives them back after a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.amqp.link import Message
from common.amqp.publisher import Publisher
from common.clock import Clock
from protos.topics import ATTEMPTS_HEADER, FIRST_SEEN_HEADER, PARKED_HEADER, REPLAYED_AT_HEADER
from worker.clients.messages import copy_of, is_writable, portions
from worker.domain import Postponed
from worker.history import failed, parked, returning

# Names of headers that could not be written again; the event in the body does not depend on any.
DROPPED_HEADER = "x-dropped-headers"
OUR_OWN = (ATTEMPTS_HEADER, FIRST_SEEN_HEADER, PARKED_HEADER, REPLAYED_AT_HEADER)


class RabbitRetryTiers:
    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    def keep(self, postponed: Sequence[Postponed]) -> None:
        for portion in portions(postponed):
            self._publisher.publish_many([self._message(each) for each in portion])

    def _message(self, postponed: Postponed) -> Message:
        return copy_of(
            postponed.delivery,
            exchange=postponed.tier,
            headers=_writable(self._headers(postponed)),
            record_id=postponed.record_id,
        )

    def _headers(self, postponed: Postponed) -> dict[str, object]:
        now = self._clock.now().isoformat(timespec="milliseconds")
        came = returning(postponed.delivery.headers)
        if postponed.reason:
            return failed(came, at=now, reason=postponed.reason, tier=postponed.tier)
        return parked(came, at=now)


def _writable(headers: Mapping[str, object]) -> dict[str, object]:
    if is_writable(headers):
        return dict(headers)
    kept = {name: value for name, value in headers.items() if is_writable({name: value})}
    if not is_writable(kept):
        kept = {name: kept[name] for name in OUR_OWN if name in kept}
    return {**kept, DROPPED_HEADER: [name[:100] for name in headers if name not in kept][:100]}
