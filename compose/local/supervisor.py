"""The daemon of one instance: keeps every part, answers the commands, and leaves nothing behind when it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterable

from compose.local import control, process
from compose.local.heir import Heir
from compose.local.keeper import Keeper, State
from compose.local.parts import Part
from compose.local.paths import Instance
from compose.local.plan import load, with_needs

log = logging.getLogger(__name__)

_ROUND = 2.0


class Supervisor:
    """All keepers of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._parts = load(instance).parts()
        self._keepers = {name: Keeper(part, instance, self._gate) for name, part in self._parts.items()}
        self._over = asyncio.Event()
        self._at_once = False

    async def run(self, names: Iterable[str]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        heir = Heir(self._instance)
        server = await control.serve(self._instance, self._answer)
        self._start(names)
        rounds = asyncio.create_task(self._rounds())
        await self._over.wait()
        await self._stop(self._keepers, at_once=self._at_once)
        rounds.cancel()
        heir.dismiss()
        await self._sweep()
        server.close()
        for keeper in self._keepers.values():
            keeper.close()

    async def _gate(self, part: Part) -> None:
        for name in part.needs:
            await self._keepers[name].settled.wait()

    async def _rounds(self) -> None:
        suspects: set[int] = set()
        while True:
            await asyncio.sleep(_ROUND)
            suspects = process.reap(suspects)
            entries = process.table()
            for keeper in self._keepers.values():
                keeper.count_workers(entries)

    def _start(self, names: Iterable[str]) -> None:
        for name in with_needs(self._parts, names):
            self._keepers[name].start()

    async def _stop(self, names: Iterable[str], *, at_once: bool = False) -> None:
        """In reverse order of use: a part is stopped when nobody that still runs uses it."""
        left = {name: self._keepers[name] for name in names if self._keepers[name].is_on}
        stopping: dict[str, asyncio.Task[None]] = {}
        while left:
            used = {name for keeper in left.values() for name in (*keeper.part.needs, *keeper.part.uses)}
            for name, keeper in left.items():
                if name not in stopping and (at_once or name not in used):
                    stopping[name] = asyncio.create_task(keeper.stop(at_once=at_once))
            await asyncio.wait([stopping[name] for name in left if name in stopping], return_when="FIRST_COMPLETED")
            left = {name: keeper for name, keeper in left.items() if name not in stopping or not stopping[name].done()}
        await asyncio.gather(*stopping.values())

    async def _sweep(self) -> None:
        """Whatever left its session, such as a program that made itself a daemon."""
        left = await asyncio.to_thread(process.end_leftovers, self._instance)
        process.reap_all()
        if left:
            log.error("processes left behind", extra={"pids": left})

    async def _answer(self, request: control.Reply) -> control.Reply:
        names = [name for name in request.get("names", self._parts) if name in self._parts]
        match request.get("op"):
            case "status":
                return {
                    "parts": await asyncio.to_thread(self._status, with_memory=bool(request.get("memory"))),
                    "pid": os.getpid(),
                }
            case "start":
                self._start(names)
            case "stop":
                await self._stop(names)
            case "restart":
                await self._restart(names)
            case "shutdown":
                self._at_once = bool(request.get("now"))
                self._over.set()
            case other:
                return {"error": f"unknown operation {other}"}
        return {}

    async def _restart(self, names: list[str]) -> None:
        await self._stop(names)
        for name in names:
            if self._keepers[name].facts.state is State.DONE:
                await self._keepers[name].stop()
        self._start(names)

    def _status(self, *, with_memory: bool) -> list[control.Reply]:
        return [_describe(keeper, with_memory=with_memory) for keeper in self._keepers.values()]


def _describe(keeper: Keeper, *, with_memory: bool) -> control.Reply:
    part, facts = keeper.part, keeper.facts
    pid, started_at = facts.pid, facts.started_at
    return {
        "name": part.name,
        "kind": part.kind,
        "address": part.address,
        "state": facts.state,
        "pid": pid,
        "restarts": facts.restarts,
        "uptime": time.monotonic() - started_at if started_at else None,
        "ready_after": facts.ready_after,
        "memory_kib": process.memory_kib(pid) if pid and with_memory else None,
        "last_exit": facts.last_exit,
        "complaint": facts.complaint,
    }


def supervise(instance: Instance, names: Iterable[str]) -> int:
    """The daemon's whole life. Its own output is in `supervisor.log`."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    process.become_subreaper()
    (instance.run / "supervisor.pid").write_text(f"{os.getpid()}\n")
    asyncio.run(Supervisor(instance).run(names))
    return 0
