"""`down`, `reset`, and the commands for single parts."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable

from compose.local import control, process, show
from compose.local.keeper import State
from compose.local.lock import is_held
from compose.local.paths import Instance
from compose.local.plan import UnknownPartError
from compose.local.terminal import complain, paint, say

_LIMIT = 60.0
_READY_LIMIT = 60.0
_POLL = 0.05


def down(instance: Instance, *, at_once: bool) -> int:
    """Stops everything in reverse order. Also cleans up after a supervisor that was killed."""
    began = time.monotonic()
    if not is_held(instance):
        left = process.marked(instance)
        if not left:
            say(f"the {instance.name} system is not running")
            return 0
        say(f"ending {len(left)} processes that a killed supervisor left behind")
        return 1 if process.end_leftovers(instance) else 0
    names = everything(instance, at_once=at_once)
    say(f"stopped {', '.join(names) if len(names) < 4 else f'{len(names)} parts'} in {time.monotonic() - began:.1f} s")
    return 0


def everything(instance: Instance, *, at_once: bool) -> list[str]:
    """Ends the supervisor and waits for it. Returns the parts that were on. Raises TimeoutError."""
    names: list[str] = []
    deadline = time.monotonic() + _LIMIT
    asked = False
    while is_held(instance):
        if not asked:
            names, asked = _ask_to_end(instance, at_once=at_once)
        if time.monotonic() > deadline:
            raise TimeoutError(f"the supervisor still runs after {_LIMIT:.0f} s")
        time.sleep(0.02)
    process.end_leftovers(instance)
    return names


def _ask_to_end(instance: Instance, *, at_once: bool) -> tuple[list[str], bool]:
    """A supervisor that has only just started does not answer yet."""
    try:
        names = [part["name"] for part in show.fetch(instance) if part["state"] != State.STOPPED]
        control.ask(instance, "shutdown", now=at_once)
    except control.NotRunningError:
        return [], False
    return names, True


def reset(instance: Instance, *, sure: bool) -> int:
    """Deletes all data of the instance. Without `sure` a person has to agree."""
    if not sure and not _agrees(instance):
        complain("nothing was deleted (answer y, or give yes=1)")
        return 1
    down(instance, at_once=True)
    shutil.rmtree(instance.data, ignore_errors=True)
    shutil.rmtree(instance.logs, ignore_errors=True)
    say(f"the data and logs in {instance.state} are deleted")
    return 0


def _agrees(instance: Instance) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"delete all data in {instance.state}? [y/N] ").strip().lower() in ("y", "yes")


def restart(instance: Instance, names: Iterable[str]) -> int:
    return _change(instance, "restart", names)


def start_parts(instance: Instance, names: Iterable[str]) -> int:
    return _change(instance, "start", names)


def stop_parts(instance: Instance, names: Iterable[str]) -> int:
    """Stops parts and leaves the rest running."""
    wanted = _known(instance, names)
    control.ask(instance, "stop", names=wanted)
    say(f"stopped: {', '.join(wanted)}")
    return 0


def _change(instance: Instance, operation: str, names: Iterable[str]) -> int:
    wanted = _known(instance, names)
    began = time.monotonic()
    control.ask(instance, operation, names=wanted)
    deadline = began + _READY_LIMIT
    while time.monotonic() < deadline:
        parts = {part["name"]: part for part in show.fetch(instance)}
        if all(parts[name]["state"] in (State.READY, State.DONE) for name in wanted):
            say(f"{paint('ok', 'green')}  {', '.join(wanted)} ready after {time.monotonic() - began:.1f} s")
            return 0
        time.sleep(_POLL)
    complain(f"not ready after {_READY_LIMIT:.0f} s: see make status, make logs s={wanted[0]}")
    return 1


def _known(instance: Instance, names: Iterable[str]) -> list[str]:
    """Raises UnknownPartError, NotRunningError."""
    known = [part["name"] for part in show.fetch(instance)]
    wanted = list(names) or known
    for name in wanted:
        if name not in known:
            raise UnknownPartError(f"there is no part '{name}'; the parts are: {', '.join(known)}")
    return wanted
