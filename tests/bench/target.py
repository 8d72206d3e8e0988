"""What is measured: a system of its own, or another implementation of the same contract at given addresses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from compose.local.control import NotRunningError, ask
from compose.local.paths import LOCAL, Instance
from tests.bench.store import Store
from tests.system import System
from tests.waiting import eventually

NAME = "bench"
_INDEX_SECONDS = 60


class TargetError(Exception):
    """The system to be measured does not start."""


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses of the doors; an empty one is not measured. `system` and `store` are None where only doors are known."""

    broker: str
    logger: str = ""
    rpc: str = ""
    grpc: str = ""
    amqp: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    system: System | None = None
    store: Store | None = None

    @property
    def is_own(self) -> bool:
        return self.system is not None


@contextmanager
def own(state: str) -> Iterator[Target]:
    """A system with fresh data, taken down and deleted at the end; one that already runs in `state` is used and left as it is.

    Raises TargetError.
    """
    system = System(Path(state) if state else LOCAL / NAME, NAME)
    running = _runs(system)
    try:
        _start(system)
        store = Store(system.env["MONGO_ADMIN_URL"])
        try:
            eventually(store.has_indexes, seconds=_INDEX_SECONDS)
            yield Target(
                broker=_numeric(system.env["BROKER_URL"]),
                logger=_numeric(system.env["LOGGER_URL"]),
                rpc=system.env["LOGGER_RPC_ADDRESS"],
                grpc=system.env["LOGGER_GRPC_ADDRESS"],
                amqp=system.env["RABBIT_URL"],
                env=system.env,
                system=system,
                store=store,
            )
        finally:
            store.close()
    finally:
        if not running:
            system.command("reset", "--yes")


@contextmanager
def other(broker: str, *, logger: str, rpc: str, grpc: str, mongo: str) -> Iterator[Target]:
    """Somebody else's system. With `mongo`, the address of its MongoDB, entries are counted there and M is measured."""
    store = Store(mongo) if mongo else None
    try:
        yield Target(_numeric(broker), _numeric(logger), rpc, grpc, store=store)
    finally:
        if store:
            store.close()


def _start(system: System) -> None:
    try:
        system.up()
    except AssertionError as error:
        raise TargetError(f"the system does not start:\n{error}") from None


def _runs(system: System) -> bool:
    try:
        ask(Instance(system.name, system.state), "status")
    except (NotRunningError, OSError):
        return False
    return True


def _numeric(url: str) -> str:
    """Wrk would try IPv6 first for the name."""
    return url.replace("//localhost", "//127.0.0.1").rstrip("/")


def timed_restart(system: System) -> float:
    """Seconds that `make up` takes when everything is there and nothing runs. Raises TargetError."""
    system.down()
    began = time.monotonic()
    system.command("up", "--ports", "auto")
    taken = time.monotonic() - began
    _start(system)
    return taken
