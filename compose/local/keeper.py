"""Keeps one part alive: prepare, start, watch, restart with back-off, stop."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from compose.local import process
from compose.local.journal import Journal
from compose.local.parts import DegradedError, Kind, Launch, Part, PrepareError, Probe, ProbeError
from compose.local.paths import Instance

_FIRST_DELAY, _LONGEST_DELAY = 0.25, 15.0
_HEALTHY_AFTER = 30.0
_HOPELESS_AFTER = 3
_EAGER, _PATIENT, _CALM = 0.05, 0.25, 2.0


class State(StrEnum):
    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not ready"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"


@dataclass(slots=True)
class Facts:
    """What `status` tells of a part. Times are of the monotonic clock."""

    state: State = State.STOPPED
    pid: int | None = None
    restarts: int = 0
    started_at: float | None = None
    ready_after: float | None = None
    last_exit: str = ""
    complaint: str = ""


class Keeper:
    """Owns the process of one part. `gate` waits until the parts it needs are ready."""

    def __init__(self, part: Part, instance: Instance, gate: Callable[[Part], Awaitable[None]]) -> None:
        self.part = part
        self.facts = Facts()
        self.settled = asyncio.Event()
        self._gone = asyncio.Event()
        self._instance = instance
        self._gate = gate
        self._journal = Journal(instance.logs, part.name)
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._never_ready = 0
        self._workers: set[int] = set()

    @property
    def is_on(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Does nothing while the part is on, or when it is a task that is done."""
        if not self.is_on and self.facts.state is not State.DONE:
            self._failures = self._never_ready = 0
            self.facts = Facts(restarts=self.facts.restarts, last_exit=self.facts.last_exit)
            self._task = asyncio.create_task(self._live(), name=f"keep {self.part.name}")

    async def stop(self, *, at_once: bool = False) -> None:
        """Signals, waits for the part's grace, then kills; afterwards nothing of it is left."""
        if self.is_on and self._task:
            self.facts.state = State.STOPPING
            if self.facts.pid and not at_once:
                await self._ask_to_end(self.facts.pid)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.settled.clear()
        self.facts = Facts(restarts=self.facts.restarts, last_exit=self.facts.last_exit)

    async def _ask_to_end(self, pid: int) -> None:
        process.send([pid], self.part.stop_signal)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.part.grace):
                await self._gone.wait()

    async def _live(self) -> None:
        while True:
            began = time.monotonic()
            self.facts.state = State.WAITING
            await self._gate(self.part)
            code = await self._run_once(began)
            if self.facts.state is State.STOPPING:
                return
            if code == 0 and self.part.kind is Kind.TASK:
                self._enter(State.DONE, began)
                return
            await self._back_off()

    async def _run_once(self, began: float) -> int | None:
        """Returns the exit code, or None when the part could not be started."""
        self.facts.state = State.PREPARING
        try:
            launch = await asyncio.to_thread(self.part.prepare)
        except (PrepareError, OSError) as error:
            self._never_ready = _HOPELESS_AFTER
            self.facts.last_exit = str(error)
            self._journal.note(str(error))
            return None
        self.facts.state = State.STARTING
        return await self._attend(launch, began)

    async def _attend(self, launch: Launch, began: float) -> int:
        env = process.environment(self._instance, launch.env)
        child = await process.spawn(launch.command, env)
        self.facts.pid, self.facts.started_at = child.pid, time.monotonic()
        self._gone.clear()
        helpers = [asyncio.create_task(self._copy(child))]
        if self.part.kind is not Kind.TASK:
            helpers.append(asyncio.create_task(self._watch(launch, began)))
        try:
            return await self._outlive(child)
        finally:
            await self._bury(child, helpers)

    async def _outlive(self, child: asyncio.subprocess.Process) -> int:
        code = await process.ended(child)
        lived = time.monotonic() - (self.facts.started_at or 0)
        if lived > _HEALTHY_AFTER:
            self._failures = 0
        self._never_ready = 0 if self.facts.ready_after is not None else self._never_ready + 1
        self.facts.last_exit = process.describe_exit(code)
        self._journal.note(self.facts.last_exit)
        return code

    async def _bury(self, child: asyncio.subprocess.Process, helpers: list[asyncio.Task[None]]) -> None:
        """Also runs when the keeper is cancelled: then the child still lives and is killed with its session."""
        await process.kill_session(child.pid)
        await process.ended(child)
        self._gone.set()
        for helper in helpers[1:]:
            helper.cancel()
        await asyncio.wait(helpers, timeout=1.0)
        helpers[0].cancel()
        self.settled.clear()
        self._workers = set()
        self.facts.pid = self.facts.started_at = self.facts.ready_after = None

    async def _back_off(self) -> None:
        self._failures += 1
        self.facts.restarts += 1
        self.facts.state = State.FAILED if self._never_ready >= _HOPELESS_AFTER else State.BACKING_OFF
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (self._failures - 1))
        # jitter, so that parts that fell together do not come back in step
        await asyncio.sleep(delay * random.uniform(0.75, 1.25))  # noqa: S311 - no secret

    async def _copy(self, child: asyncio.subprocess.Process) -> None:
        if child.stdout:
            await self._journal.follow(child.stdout)

    async def _watch(self, launch: Launch, began: float) -> None:
        if launch.settle:
            await self._until(self.part.answers or self.part.probe)
            await self._settle(launch)
        while True:
            pause = await self._question(began)
            await asyncio.sleep(_CALM if self.facts.ready_after is not None else pause)

    async def _question(self, began: float) -> float:
        """Asks once. Returns how soon to ask again: one that answers is not to be kept busy with answering."""
        try:
            await self.part.probe()
        except DegradedError as error:
            self._doubt(State.DEGRADED, str(error))
        except (ProbeError, ValueError) as error:
            self._doubt(State.NOT_READY, str(error))
        except OSError as error:
            self._doubt(State.NOT_READY, str(error) or type(error).__name__)
            return _EAGER
        else:
            self._enter(State.READY, began)
        return _PATIENT

    async def _until(self, probe: Probe) -> None:
        while True:
            with contextlib.suppress(OSError, ProbeError):
                return await probe()
            await asyncio.sleep(_EAGER)

    async def _settle(self, launch: Launch) -> None:
        """Runs the one-shot; when it fails the part is ended, so that the next start tries again."""
        assert launch.settle is not None  # noqa: S101 - for the type checker
        child = await process.spawn(launch.settle, process.environment(self._instance, launch.env))
        try:
            await self._copy(child)
            code = await process.ended(child)
        finally:
            await process.kill_session(child.pid)
        if code != 0 and self.facts.pid:
            process.send([self.facts.pid], signal.SIGKILL)

    def _enter(self, state: State, began: float) -> None:
        if self.facts.state is State.STOPPING:
            return
        self.facts.state, self.facts.complaint = state, ""
        if self.facts.ready_after is None:
            self.facts.ready_after = time.monotonic() - began
        self.settled.set()

    def _doubt(self, state: State, complaint: str) -> None:
        if self.facts.state is State.STOPPING:
            return
        self.facts.complaint = complaint
        if state is State.DEGRADED or self.facts.state in (State.READY, State.DEGRADED):
            self.facts.state = state

    def count_workers(self, table: list[process.Entry]) -> None:
        """A worker process that its own master replaced counts as a restart too."""
        if not self.part.has_workers or self.facts.state is not State.READY:
            return
        alive = {entry.pid for entry in table if entry.parent == self.facts.pid and entry.state != "Z"}
        gone = len(self._workers - alive)
        if gone and alive:
            self.facts.restarts += gone
            self.facts.last_exit = "a worker process ended"
        if alive:
            self._workers = alive

    def close(self) -> None:
        self._journal.close()
