"""What the supervisor needs to know about a part of the system; no part knows the supervisor."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Probe = Callable[[], Awaitable[None]]


class PrepareError(Exception):
    """A part cannot be started; the message says to a person what is missing."""


class ProbeError(Exception):
    """The part answers, but says that it is not ready."""


class DegradedError(ProbeError):
    """The part serves, but misses something it would like to have."""


class Kind(StrEnum):
    SERVER = "server"
    SERVICE = "service"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that can be executed now. `settle` runs once the process answers, before it counts as ready."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    settle: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One supervised process.

    `prepare` blocks, makes what must exist on disk and may raise PrepareError. `needs` gates the start;
    `uses` only orders the stop. A task runs to its end once; its probe is never asked. `answers` is the probe to
    wait for before `Launch.settle` runs, where that comes before readiness.
    """

    name: str
    kind: Kind
    address: str
    prepare: Callable[[], Launch]
    probe: Probe
    answers: Probe | None = None
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 8.0
    has_workers: bool = False
