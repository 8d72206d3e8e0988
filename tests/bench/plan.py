"""How long and how often is measured, and which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.doors import DOORS

CONCURRENCIES = (1, 16, 64)
# Rows that are measured only when they are named: installing all packages again takes minutes and the network.
ON_DEMAND = ("up-cold",)
# Rows on a store with millions of entries; `search` is all of them.
SEARCH = ("search-pages", "search-words", "search-counts", "search-export", "search-tail", "search-writes")
_OTHERS = ("jsonrpc", "grpc-bulk", "drain", "handle-auth", "beside-logins", "idle-memory", "up-warm", *ON_DEMAND)
NAMES = (*(door.name for door in DOORS), *_OTHERS, "search", *SEARCH)


class UnknownRowError(ValueError):
    """`only` names what is not measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds. Logins take longer to measure, because few of them fit into a second."""

    only: tuple[str, ...] = ()
    concurrencies: tuple[int, ...] = CONCURRENCIES
    warm_up: float = 2
    seconds: float = 5
    login_seconds: float = 20
    yardstick_seconds: float = 4
    settle_seconds: float = 10
    runs: int = 3
    drain_messages: int = 60_000
    search_entries: int = 2_000_000
    search_requests: int = 200
    # What is written a minute before a row begins is indexed while it runs.
    written_before: float = 75
    with_variants: bool = True

    def wants(self, name: str) -> bool:
        if self.only:
            return name in self.only or ("search" in self.only and name in SEARCH)
        return name not in ON_DEMAND

    @property
    def wants_search(self) -> bool:
        return any(map(self.wants, SEARCH))

    @property
    def wants_any_f(self) -> bool:
        return any(self.wants(door.name) for door in DOORS)


def plan(only: Sequence[str], *, quick: bool, concurrencies: Sequence[int] = CONCURRENCIES) -> Plan:
    """Raises UnknownRowError."""
    levels = tuple(concurrencies)
    unknown = sorted(set(only) - set(NAMES))
    if unknown:
        raise UnknownRowError(f"no such row: {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    if not quick:
        return Plan(tuple(only), levels)
    return Plan(
        tuple(only),
        levels,
        with_variants=False,
        warm_up=1,
        seconds=1,
        login_seconds=4,
        yardstick_seconds=1,
        settle_seconds=2,
        runs=1,
        drain_messages=5_000,
        search_entries=40_000,
        search_requests=20,
        written_before=2,
    )
