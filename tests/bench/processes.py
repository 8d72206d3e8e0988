"""Processor time, memory and descriptors of every part, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from compose.local.control import ask
from compose.local.parts import Kind
from compose.local.paths import Instance
from compose.local.process import memory_kib, session_members
from tests.system import System

_TICKS = os.sysconf("SC_CLK_TCK")
GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class Part:
    """One supervised part; all its processes are in the session `pid`."""

    name: str
    pid: int
    is_service: bool


def parts_of(system: System) -> list[Part]:
    told = ask(Instance(system.name, system.state), "status")["parts"]
    return [Part(each["name"], each["pid"], each["kind"] == Kind.SERVICE) for each in told if each["pid"]]


def cpu_seconds(system: System | None) -> dict[str, float]:
    """Since each part began, user and system together; and of all generators that have ended."""
    ended = getrusage(RUSAGE_CHILDREN)
    spent = {GENERATOR: ended.ru_utime + ended.ru_stime}
    if system:
        spent |= {part.name: sum(map(_cpu, session_members(part.pid))) for part in parts_of(system)}
    return spent


def spent_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each part used; parts that used next to nothing are left out."""
    used = {name: after[name] - before.get(name, 0.0) for name in after}
    return {name: round(value, 2) for name, value in used.items() if value >= 0.05}


def pss_mib(system: System | None) -> dict[str, float]:
    """Proportional set size: shared pages count once."""
    return {part.name: round(memory_kib(part.pid) / 1024, 1) for part in parts_of(system)} if system else {}


def descriptors(system: System) -> dict[str, int]:
    return {part.name: sum(map(_descriptors, session_members(part.pid))) for part in parts_of(system)}


def _cpu(pid: int) -> float:
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # fields 14 to 17 of proc_pid_stat(5): its own time, and that of its children that have ended
    return sum(map(int, fields[11:15])) / _TICKS


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - counts without making objects
    except OSError:
        return 0
