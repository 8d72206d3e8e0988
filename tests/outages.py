"""Parts that are away: there and silent, as on a machine that hangs, or stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from tests.system import System


@contextmanager
def paused(system: System, *parts: str) -> Iterator[None]:
    """All processes of the parts stand still; their sockets accept and answer nothing."""
    leaders = [psutil.Process(system.part(part)["pid"]) for part in parts]
    processes = [process for leader in leaders for process in (leader, *leader.children(recursive=True))]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGCONT)


@contextmanager
def stopped(system: System, *parts: str) -> Iterator[None]:
    """The parts are stopped in this order and started in the reverse one, each whatever becomes of the others."""
    with ExitStack() as stack:
        for part in parts:
            stack.callback(system.start, part)
            system.stop(part)
        yield
