"""Made-up entries of a realistic spread. The same recipe makes the same entries, in any order and in any process."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from logger.domain import LogEntry
from protos.limits import PROTOCOLS
from tests.seeding.needles import Needles, scattered
from tests.seeding.rhythm import Rhythm
from tests.seeding.vocabulary import Drawer, names, words

BATCH = 1_000
# In the order of LEVELS of protos.limits, as running totals of a thousand.
_LEVELS, _LEVEL_SUMS = ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"), (700, 900, 980, 998, 1000)
_PROTOCOL_SUMS = (300, 700, 850, 1000)
_LONGEST_TRACE, _OPEN_TRACES = 12, 8
_WORDS = (4, 12)
_TEMPLATES = (
    "user {user} {words} order {order}",
    "{words} after {ms} ms",
    "order {order}: {words} (user {user})",
    "{words}",
    "{words} from 10.{a}.{b}.7 in {ms} ms",
    "GET {path} {words}",
    "attempt {a} of {b}: {words}, order={order}",
    "{words}; user={user} path={path}",
)
_PATHS = (
    "/orders",
    "/orders/items",
    "/basket",
    "/checkout",
    "/login",
    "/products",
    "/search",
    "/api/v1/logs",
    "/health",
)


@dataclass(slots=True)
class _Trace:
    """Entries of one request that are still to come."""

    trace_id: str
    request_id: str
    left: int
    user: int
    order: int


@dataclass(frozen=True)
class Recipe:
    """`count` entries created from `since` to before `until`, in order of time. `tag` names this set: ids and needles hold it."""

    count: int
    since: datetime
    until: datetime
    seed: int
    tag: str

    @property
    def batches(self) -> int:
        return -(-self.count // BATCH)

    @cached_property
    def needles(self) -> Needles:
        return scattered(self.count, self.seed, self.tag)

    @cached_property
    def names(self) -> list[str]:
        """From the most frequent one to the rarest."""
        return list(self._service_of)

    def moment(self, number: int) -> datetime:
        """When entry `number` was created."""
        return self._rhythm.moment(number)

    def batch(self, number: int) -> list[LogEntry]:
        """Entries number * BATCH and following."""
        chance = random.Random(f"{self.seed}:{number}")  # noqa: S311 - nothing is kept secret
        first = number * BATCH
        size = min(BATCH, self.count - first)
        drawn_names = self._name_drawer.draw(chance, size)
        levels = chance.choices(_LEVELS, cum_weights=_LEVEL_SUMS, k=size)
        protocols = chance.choices(PROTOCOLS, cum_weights=_PROTOCOL_SUMS, k=size)
        open_traces: list[_Trace] = []
        return [
            self._entry(first + index, drawn_names[index], levels[index], protocols[index], chance, open_traces)
            for index in range(size)
        ]

    def _entry(
        self, number: int, name: str, level: str, protocol: str, chance: random.Random, open_traces: list[_Trace]
    ) -> LogEntry:
        moment = self._rhythm.moment(number)
        trace = _next_trace(chance, open_traces)
        # most entries belong to a request; what runs by itself has no trace
        has_trace = chance.random() < 0.85
        fields = _fields(chance, trace, name) if chance.random() < 0.6 else None
        return LogEntry(
            id=f"{int(moment.timestamp()):08x}{self._run}{number & 0xFFFFFF:06x}",
            name=name,
            data=self._text(number, chance, trace),
            level=level,
            service=self._service_of[name],
            protocol=protocol,
            request_id=trace.request_id,
            trace_id=trace.trace_id if has_trace else "",
            created_at=moment,
            updated_at=moment + timedelta(0),
            span_id=f"{chance.getrandbits(64) or 1:016x}" if has_trace else "",
            fields=fields,
        )

    def _text(self, number: int, chance: random.Random, trace: _Trace) -> str:
        drawn = self._word_drawer.draw(chance, chance.randint(*_WORDS))
        if needles := self._needles_of.get(number):
            drawn += needles
        return chance.choice(_TEMPLATES).format(
            user=trace.user,
            order=trace.order,
            ms=int(chance.expovariate(0.01)),
            a=chance.randrange(10),
            b=chance.randrange(250),
            path=chance.choice(_PATHS),
            words=" ".join(drawn),
        )

    @cached_property
    def _run(self) -> str:
        """What ids of this set share."""
        return hashlib.sha256(self.tag.encode()).hexdigest()[:10]

    @cached_property
    def _rhythm(self) -> Rhythm:
        return Rhythm(self.since, self.until, self.count, self.seed)

    @cached_property
    def _service_of(self) -> dict[str, str]:
        return dict(names(self.seed))

    @cached_property
    def _name_drawer(self) -> Drawer:
        return Drawer(self.names)

    @cached_property
    def _word_drawer(self) -> Drawer:
        return Drawer(words())

    @cached_property
    def _needles_of(self) -> dict[int, list[str]]:
        return self.needles.of_entries()


def _next_trace(chance: random.Random, open_traces: list[_Trace]) -> _Trace:
    """The trace of the next entry: one of those under way at the same time, which end after 1 to 12 entries."""
    if len(open_traces) < _OPEN_TRACES:
        open_traces.append(
            _Trace(
                f"{chance.getrandbits(128) or 1:032x}",
                f"{chance.getrandbits(128):032x}",
                chance.randint(1, _LONGEST_TRACE),
                int(chance.paretovariate(0.5)) % 100_000,
                chance.randrange(10_000_000),
            )
        )
    trace = chance.choice(open_traces)
    trace.left -= 1
    if not trace.left:
        open_traces.remove(trace)
    return trace


def _fields(chance: random.Random, trace: _Trace, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"user": {"id": trace.user}, "duration_ms": int(chance.expovariate(0.01))}
    if name.startswith(("order", "payment", "parcel", "invoice", "basket", "checkout")):
        fields["order"] = {"id": trace.order}
    if chance.random() < 0.5:
        fields["path"] = chance.choice(_PATHS)
    return fields
