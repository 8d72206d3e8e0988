"""`doctor`: what was found on this machine, which fallback is used, and what stands in the way."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from compose.local import debs, environment, tools
from compose.local.bootstrap import is_current
from compose.local.holders import holder
from compose.local.lock import is_held
from compose.local.parts import PrepareError
from compose.local.paths import APT, LOCAL, ROOT, VENV, Instance
from compose.local.plan import load
from compose.local.ports import LOOPBACK, PORTS, PortPlan, chosen, is_free
from compose.local.servers import mongo, postgres, rabbit, valkey
from compose.local.terminal import columns, paint, say

_GIB = 1024**3
_DISK_NEEDED, _MEMORY_NEEDED = 2.0, 1.5
Row = tuple[str, str, str]


def examine(instance: Instance) -> int:
    """Returns 1 when something stands in the way of `up`."""
    running = is_held(instance)
    sections = {
        "machine": _machine(),
        "python": _python(),
        "servers": _servers(),
        "for the tests": _tools(),
        "ports": _ports(instance, running=running),
    }
    for title, rows in sections.items():
        say(paint(title, "bold"))
        say("\n".join(f"  {line}" for line in columns([(_mark(row[0]), *row[1:]) for row in rows])))
    bad = sum(row[0] == "bad" for rows in sections.values() for row in rows)
    say()
    say(f"the {instance.name} system is {'running' if running else 'not running'}; {bad or 'no'} problems found")
    return 1 if bad else 0


def _mark(verdict: str) -> str:
    return paint(f"{verdict:4}", {"ok": "green", "bad": "red"}.get(verdict, "yellow"))


def _machine() -> list[Row]:
    disk = shutil.disk_usage(ROOT).free / _GIB
    memory = _available_memory() / _GIB
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    return [
        ("ok", "system", f"{_distribution()}, {platform.machine()}, {os.cpu_count()} processors, {user}"),
        ("ok" if disk > _DISK_NEEDED else "bad", "disk", f"{disk:.1f} GiB free in {ROOT}"),
        ("ok" if memory > _MEMORY_NEEDED else "note", "memory", f"{memory:.1f} GiB available"),
        ("ok" if shutil.which("apt-get") else "note", "apt-get", shutil.which("apt-get") or "none: nothing is fetched"),
    ]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _available_memory() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024.0
    return 0.0


def _python() -> list[Row]:
    rows = [("ok", "interpreter", f"{sys.version.split()[0]} in {VENV.relative_to(ROOT)}")]
    for lock, purpose in (("local", "make up"), ("dev", "make test")):
        current = is_current(lock)
        rows.append(
            ("ok" if current else "note", f"packages for {purpose}", "as locked" if current else "not installed")
        )
    return rows


def _servers() -> list[Row]:
    return [
        _server("postgres", _postgres),
        _server("mongo", _mongo),
        _server("rabbitmq", _rabbit),
        _server("valkey", lambda: _versioned(valkey.binary())),
    ]


def _server(name: str, find: Callable[[], str]) -> Row:
    try:
        return ("ok", name, find())
    except (PrepareError, OSError) as error:
        return ("bad", name, str(error))


def _postgres() -> str:
    prefix = postgres.without_root(LOCAL / "no-such-folder")
    how = {"unshare": ", root is left through a user namespace", "setpriv": ", root is left by becoming nobody"}
    return _versioned(str(postgres.binaries() / "postgres")) + how.get(prefix[0] if prefix else "", "")


def _mongo() -> str:
    if mongo.lacks_libcurl() and not debs.is_unpacked("libcurl"):
        return (
            f"{_origin(mongo.binary())}; the first start unpacks libcurl4, which it needs, into {APT.relative_to(ROOT)}"
        )
    return _versioned(mongo.binary(), mongo.lib_path())


def _rabbit() -> str:
    found = rabbit.located()
    if found is None:
        return f"none yet: the first start unpacks Debian's packages into {APT.relative_to(ROOT)}"
    version = found.server.parent.parent.name.rpartition("-")[2]
    return f"{version}, {_origin(str(found.server))}"


def _versioned(binary: str, extra: Mapping[str, str] | None = None) -> str:
    shown = subprocess.run(
        [binary, "--version"],
        env={**os.environ, **(extra or {})},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    lines = (shown.stdout or shown.stderr).strip().splitlines()
    return f"{lines[0] if lines else 'does not start'}, {_origin(binary)}"


def _origin(path: str) -> str:
    if path.startswith(str(VENV)):
        return "from its wheel"
    if path.startswith(str(APT)):
        return f"from packages unpacked in {APT.relative_to(ROOT)}"
    return f"the system's own: {path}"


def _tools() -> list[Row]:
    known = tools.known()
    return [("ok" if path else "note", name, path or "not there yet: make tools") for name, path in known.items()]


def _ports(instance: Instance, *, running: bool) -> list[Row]:
    if running:
        plan = load(instance).ports
        return [("ok", name, f"{number}, ours") for name, number in plan.items()]
    return [_port(name, number) for name, number in _planned(instance).items()]


def _planned(instance: Instance) -> PortPlan:
    return chosen(environment.wishes(instance, os.environ))


def _port(name: str, number: int) -> Row:
    part = next(port.part for port in PORTS if port.name == name)
    if is_free(LOOPBACK, number):
        return ("ok", name, f"{number}, {part}, free")
    return ("bad", name, f"{number}, {part}, taken by {holder(number) or 'another user'}")
