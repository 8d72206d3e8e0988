"""`build`: what a rebuild is where no images are made: byte-compile, and restart what runs."""

from __future__ import annotations

import compileall
from collections.abc import Sequence

from compose.local import control, show, stop
from compose.local.keeper import State
from compose.local.parts import Kind
from compose.local.paths import ROOT, Instance
from compose.local.terminal import complain, say

SERVICES = ("auth", "broker", "frontend", "logger", "mailer", "worker")
# Parts that run the code of a service beside the one of its name.
_BESIDE = {"logger": ("keeper",)}
_SHARED = ("common", "protos")


def build(instance: Instance, names: Sequence[str]) -> int:
    """The locked packages were refreshed before this command could run, see bootstrap."""
    wanted = tuple(names) or SERVICES
    for folder in (*_SHARED, *wanted):
        if not compileall.compile_dir(ROOT / folder, quiet=1):
            complain(f"{folder} does not compile")
            return 1
    say(f"built without Docker: packages up to date, {', '.join(wanted)} byte-compiled")
    running = _running(instance)
    parts = [part for name in wanted for part in (name, *_BESIDE.get(name, ()))]
    restarting = [part for part in parts if part in running]
    return stop.restart(instance, restarting) if restarting else 0


def _running(instance: Instance) -> set[str]:
    try:
        parts = show.fetch(instance)
    except control.NotRunningError:
        return set()
    return {part["name"] for part in parts if part["kind"] == Kind.SERVICE and part["state"] != State.STOPPED}
