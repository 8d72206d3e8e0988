"""Starting, finding and ending operating system processes; the only module that sends signals."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from compose.local.paths import PYCACHE, ROOT, Instance

# in the environment of every child: which instance, and which life of its supervisor
MARK, LIFE = "LOCAL_RUNNER_STATE", "LOCAL_RUNNER_LIFE"
_PR_SET_CHILD_SUBREAPER = 36
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the process table."""

    pid: int
    state: str
    parent: int
    session: int


def become_subreaper() -> None:
    """Orphans of our children become our own children, so that none escapes `down`."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def environment(instance: Instance, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of every child: the mark is how leftovers are found, whoever their parent is."""
    own = {MARK: str(instance.state), "PYTHONPYCACHEPREFIX": str(PYCACHE), "PYTHONUNBUFFERED": "1"}
    # without byte code every start would compile all packages again, for some ten seconds of processor time
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **extra, **own}


async def spawn(command: tuple[str, ...], env: Mapping[str, str]) -> asyncio.subprocess.Process:
    """A child in a session of its own, killed by the kernel when the supervisor dies.

    The kernel ties that promise to the thread that starts the child: call this on the main thread only.
    """
    guard = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
    return await asyncio.create_subprocess_exec(
        *guard,
        *command,
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


async def ended(child: asyncio.subprocess.Process) -> int:
    """The exit code, as soon as the process itself is gone.

    `Process.wait` also waits for the end of its output, which grandchildren that live on keep open.
    """
    with contextlib.suppress(OSError):
        await _readable(os.pidfd_open(child.pid))
    while child.returncode is None:  # noqa: ASYNC110 - asyncio sets it some moments later and tells nobody
        await asyncio.sleep(_POLL)
    return child.returncode


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def table() -> list[Entry]:
    """All processes that can be read; fields as in proc_pid_stat(5)."""
    entries = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        entries.append(Entry(int(folder.name), fields[0], int(fields[1]), int(fields[3])))
    return entries


def session_members(session: int) -> list[int]:
    return [entry.pid for entry in table() if entry.session == session and entry.state != "Z"]


def marked(instance: Instance, life: str = "") -> list[int]:
    """Every living process that was started for this instance, by this life of its supervisor or by any."""
    needles = {f"{MARK}={instance.state}".encode(), *([f"{LIFE}={life}".encode()] if life else [])}
    return [entry.pid for entry in table() if entry.state != "Z" and needles <= _environ(entry.pid)]


def _environ(pid: int) -> set[bytes]:
    try:
        return set(Path("/proc", str(pid), "environ").read_bytes().split(b"\x00"))
    except OSError:
        return set()


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


async def kill_session(session: int, limit: float = 3.0) -> None:
    """Kills what is left of a session and waits until it is gone, so that its ports and files are free again."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while (left := session_members(session)) and loop.time() < deadline:
        send(left, signal.SIGKILL)
        await asyncio.sleep(_POLL)


def reap(suspects: set[int]) -> set[int]:
    """Collects adopted children that ended. Returns the zombies of this round: the suspects of the next.

    Only those seen dead twice are taken, because others are about to be collected by who started them.
    """
    me = os.getpid()
    zombies = {entry.pid for entry in table() if entry.parent == me and entry.state == "Z"}
    for pid in zombies & suspects:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return zombies


def reap_all() -> None:
    """Collects every ended child; only for the very end, when nobody waits for one any more."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def memory_kib(session: int) -> int:
    """Proportional set size of a session, or the resident size where the kernel does not tell."""
    return sum(_memory(pid) for pid in session_members(session))


def _memory(pid: int) -> int:
    for file, label in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path("/proc", str(pid), file).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(label):
                return int(line.split()[1])
    return 0


def describe_exit(code: int) -> str:
    """For example `exit code 3` or `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def end_leftovers(instance: Instance, life: str = "", limit: float = 5.0) -> list[int]:
    """Kills every process of the instance, or of one life of it, but this one. Returns those that would not go."""
    deadline = time.monotonic() + limit
    while True:
        left = [pid for pid in marked(instance, life) if pid != os.getpid()]
        if not left or time.monotonic() > deadline:
            return left
        send(left, signal.SIGKILL)
        time.sleep(_POLL)
