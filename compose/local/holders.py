"""Who holds a port: read from /proc, so that a clash can be explained by name."""

from __future__ import annotations

from pathlib import Path

_LISTEN = "0A"


def holder(number: int) -> str | None:
    """For example `nginx (pid 812)`; None when nobody listens or the process belongs to another user."""
    inodes = _listening_inodes(number)
    if not inodes:
        return None
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _holds(entry, inodes):
            return f"{_command(entry)} (pid {entry.name})"
    return None


def _listening_inodes(number: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == number:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in inodes for link in (process / "fd").iterdir())
    except OSError:
        return False


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"
