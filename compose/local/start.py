"""`up`: decides the plan, starts the supervisor, and tells how far it is until everything answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from compose.local import control, environment, process, show, stop
from compose.local.holders import holder
from compose.local.journal import tail
from compose.local.keeper import State
from compose.local.lock import AlreadyRunningError, hold
from compose.local.parts import Part
from compose.local.paths import PYTHON, ROOT, Instance
from compose.local.plan import Plan, load, with_needs
from compose.local.ports import PORTS, PortError, chosen, clashes, free_block
from compose.local.terminal import complain, paint, say

_LIMIT = 90.0
_POLL = 0.05
_ANSWER_LIMIT = 10.0
_SETTLED = (State.READY, State.DONE)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: parts (all when empty), whether to look for free ports, and detours on the way to servers."""

    names: tuple[str, ...] = ()
    free_ports: bool = False
    detours: Mapping[str, int] = field(default_factory=dict)


class StartError(Exception):
    """A part did not come up; the message has been shown."""


def up(instance: Instance, wish: Wish) -> int:
    """Returns the exit status: 0 with everything ready and running on, 1 with nothing left running."""
    instance.make_folders()
    began = time.monotonic()
    try:
        lock = hold(instance)
    except AlreadyRunningError:
        return _join(instance, wish, began)
    try:
        plan, port_lock = _plan(instance, wish)
        names = _checked(plan, plan.parts(), wish.names)
        plan.save()
        _launch(instance, names, [lock, *port_lock])
    finally:
        os.close(lock)
    return _attend(instance, names, began, alone=True)


def _plan(instance: Instance, wish: Wish) -> tuple[Plan, list[int]]:
    """The plan and the locks that keep its ports ours."""
    process_killed = process.marked(instance)
    if process_killed:
        say(f"ending {len(process_killed)} processes that a killed supervisor left behind")
        process.end_leftovers(instance)
    wished = {**environment.folders(instance), **environment.wishes(instance, os.environ)}
    if wish.free_ports:
        ports, port_lock = free_block()
        return Plan(instance, ports, environment.service_values(ports, wished, wish.detours)), [port_lock]
    ports = chosen(wished)
    return Plan(instance, ports, environment.service_values(ports, wished, wish.detours)), []


def _checked(plan: Plan, parts: Mapping[str, Part], wanted: Iterable[str]) -> tuple[str, ...]:
    """The parts to start. Raises PortError with one line for each port that is taken."""
    names = with_needs(parts, wanted or parts)
    taken = clashes(plan.ports, names, plan.values["BIND_HOST"])
    if taken:
        raise PortError("\n".join(_explain(plan, port.name) for port in taken))
    return names


def _explain(plan: Plan, name: str) -> str:
    port = next(port for port in PORTS if port.name == name)
    number = plan.ports[name]
    by = holder(number)
    return (
        f"port {number} ({port.part}) is taken{f' by {by}' if by else ''}; "
        f"choose another one with {name}, for example: make up {name}={number + 100}"
    )


def _launch(instance: Instance, names: Iterable[str], locks: list[int]) -> None:
    command = [str(PYTHON), "-m", "compose.local", "--instance", instance.name, "--state", str(instance.state)]
    output = instance.logs / "supervisor.log"
    with output.open("ab") as file:
        subprocess.Popen(
            [*command, "supervise", ",".join(names)],
            cwd=ROOT,
            env=process.environment(instance, {}),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            pass_fds=locks,
        )
    for lock in locks[1:]:
        os.close(lock)


def _join(instance: Instance, wish: Wish, began: float) -> int:
    say(f"the {instance.name} system is already running")
    _await_answer(instance)
    plan = load(instance)
    off = [part["name"] for part in show.fetch(instance) if part["state"] == State.STOPPED]
    parts = plan.parts()
    wanted = with_needs(parts, wish.names or parts)
    missing = [name for name in wanted if name in off]
    if missing:
        _checked(plan, {name: part for name, part in parts.items() if name in missing}, missing)
        control.ask(instance, "start", names=missing)
    return _attend(instance, wanted, began, alone=False)


def _attend(instance: Instance, names: tuple[str, ...], began: float, *, alone: bool) -> int:
    try:
        _await_answer(instance)
        _follow(instance, names, began)
    except StartError:
        if alone:
            stop.everything(instance, at_once=True)
            complain("nothing was left running")
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        if alone:
            stop.everything(instance, at_once=True)
        return 130
    say()
    show.summary(instance, time.monotonic() - began)
    return 0


def _await_answer(instance: Instance) -> None:
    """The supervisor opens its socket a moment after it has taken the instance."""
    deadline = time.monotonic() + _ANSWER_LIMIT
    while True:
        try:
            control.ask(instance, "status")
        except control.NotRunningError:
            if time.monotonic() > deadline:
                complain("the supervisor does not answer; its last words:")
                complain("\n".join(_last_words(instance)))
                raise StartError from None
            time.sleep(_POLL)
        else:
            return


def _last_words(instance: Instance) -> list[str]:
    path = instance.logs / "supervisor.log"
    return path.read_text(errors="replace").splitlines()[-15:] if path.exists() else []


def _follow(instance: Instance, names: tuple[str, ...], began: float) -> None:
    """Prints each part as it gets ready. Raises StartError."""
    waiting = list(names)
    good = _good_enough(instance, names)
    width = max(map(len, names))
    while waiting:
        parts = {part["name"]: part for part in show.fetch(instance)}
        elapsed = time.monotonic() - began
        for name in [name for name in waiting if parts[name]["state"] in good[name]]:
            waiting.remove(name)
            _wipe()
            mark = paint("ok", "green") if parts[name]["state"] in _SETTLED else paint("degraded", "yellow")
            say(f"  {mark}  {name.ljust(width)}  {elapsed:5.1f} s")
        _give_up_on([parts[name] for name in waiting if parts[name]["state"] == State.FAILED], instance)
        if waiting and elapsed > _LIMIT:
            complain(f"not ready after {_LIMIT:.0f} s")
            _give_up_on([parts[name] for name in waiting], instance)
        _hint(waiting, elapsed)
        time.sleep(_POLL)


def _good_enough(instance: Instance, names: tuple[str, ...]) -> dict[str, tuple[State, ...]]:
    """A part is excused for being degraded when something it uses was not asked for."""
    parts = load(instance).parts()
    whole = {name: set(parts[name].uses) <= set(names) for name in names}
    return {name: _SETTLED if whole[name] else (*_SETTLED, State.DEGRADED) for name in names}


def _give_up_on(failed: list[control.Reply], instance: Instance) -> None:
    if not failed:
        return
    _wipe()
    for part in failed:
        reason = part["complaint"] or part["last_exit"] or part["state"]
        complain(f"{paint('failed', 'red')}  {part['name']}: {reason}")
        complain("\n".join(f"    {line}" for line in tail(instance.logs, part["name"], 15)))
    raise StartError


def _hint(waiting: list[str], elapsed: float) -> None:
    if waiting and sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K      {elapsed:5.1f} s  waiting for {', '.join(waiting)}"[:120])
        sys.stdout.flush()


def _wipe() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\r\x1b[K")
