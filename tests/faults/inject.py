"""The faults: how each is brought about, and when its cause is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.faults.ledger import Fault
from tests.faults.network import PORTS_OF, Network
from tests.system import System

PARTS = ("logger", "worker", "broker", "mongo", "rabbitmq", "valkey", "postgres", "mailbox")
# Two paths to the store at once, which leaves the broker its own disk; and a power cut.
BOTH_PATHS = "logger+rabbitmq"
ALL = "all"
PAUSE_SECONDS = 20.0
CUT_SECONDS = 10.0
# Long enough for entries to be spooled before the broker dies, and for others to be spooled after it is back.
BEFORE_CRASH_SECONDS, AFTER_CRASH_SECONDS = 4.0, 6.0


def parts_of(label: str) -> Sequence[str]:
    """The parts that a row names: one, several (`a+b`) or all."""
    return PARTS if label == ALL else label.split("+")


@dataclass(frozen=True, slots=True)
class Stage:
    """The system and, where parts can be cut off, the network it was started through."""

    system: System
    network: Network | None = None
    pause_seconds: float = PAUSE_SECONDS
    cut_seconds: float = CUT_SECONDS

    def pids(self, part: str) -> list[int]:
        """All processes of what a row names, the first one of each part before its children."""
        roots = [psutil.Process(self.system.part(name)["pid"]) for name in parts_of(part)]
        return [process.pid for root in roots for process in (root, *root.children(recursive=True))]


def kill(stage: Stage, part: str) -> Fault:
    """SIGKILL to every process of the part at once, as when its machine dies."""
    pids = stage.pids(part)
    began = time.monotonic()
    _signal(pids, signal.SIGKILL)
    return Fault(began, began)


def pause(stage: Stage, part: str) -> Fault:
    pids = stage.pids(part)
    began = time.monotonic()
    _signal(pids, signal.SIGSTOP)
    try:
        _pass(stage.pause_seconds)
    finally:
        _signal(pids, signal.SIGCONT)
    return Fault(began, time.monotonic())


def restart(stage: Stage, part: str) -> Fault:
    """By the runner, as `make restart` does: asked to end, then started. The fault ends where it begins, as for a kill."""
    began = time.monotonic()
    done = stage.system.command("restart", *parts_of(part))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Fault(began, began)


def cut(stage: Stage, part: str) -> Fault:
    assert stage.network is not None, "cut needs a system that was started through a network of proxies"
    began = time.monotonic()
    stage.network.cut_off(parts_of(part), stage.pids(part))
    try:
        _pass(stage.cut_seconds)
    finally:
        stage.network.restore()
    return Fault(began, time.monotonic())


def crash(stage: Stage, part: str) -> Fault:
    """The part is stopped, and while it is away the broker is killed: what the broker alone had must outlive it."""
    began = time.monotonic()
    names = parts_of(part)
    for name in names:
        stage.system.stop(name)
    try:
        _pass(BEFORE_CRASH_SECONDS)
        kill(stage, "broker")
        _pass(AFTER_CRASH_SECONDS)
    finally:
        ended = time.monotonic()
        for name in names:
            stage.system.start(name)
    return Fault(began, ended)


FAULTS: dict[str, Callable[[Stage, str], Fault]] = {
    "kill": kill,
    "pause": pause,
    "restart": restart,
    "cut": cut,
    "crash": crash,
}


SINGLE_FAULTS = ("kill", "pause", "restart", "cut")


def every_row() -> list[tuple[str, str]]:
    """Part and fault; who is called by nobody and calls nobody cannot be cut off."""
    connected = {*PORTS_OF, "worker"}
    single = [(part, fault) for part in PARTS for fault in SINGLE_FAULTS if fault != "cut" or part in connected]
    return [*single, (BOTH_PATHS, "pause"), (BOTH_PATHS, "cut"), (BOTH_PATHS, "crash"), (ALL, "kill")]


def listed() -> str:
    """What may be named, for people: a line for each part with its faults."""
    faults: dict[str, list[str]] = {}
    for part, fault in every_row():
        faults.setdefault(part, []).append(fault)
    return "\n".join(f"  {part}: {', '.join(names)}" for part, names in faults.items())


def _pass(seconds: float) -> None:
    """The length of the fault, not a wait for a condition."""
    threading.Event().wait(seconds)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a child may go with its parent
            os.kill(pid, number)
