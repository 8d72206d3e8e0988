"""The log file of one part: its output, line by line, each with the time at which it came; bounded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

_CHUNK = 64 * 1024
_LONGEST_LINE = 256 * 1024


class Journal:
    """Appends lines to `<name>.log` and keeps one older file beside it."""

    def __init__(self, folder: Path, name: str, limit: int = 10_000_000) -> None:
        self._path = folder / f"{name}.log"
        self._limit = limit
        self._file = self._path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, line: bytes) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        record = stamp.encode() + b" " + line.rstrip(b"\r\n") + b"\n"
        if self._size + len(record) > self._limit:
            self._rotate()
        self._file.write(record)
        self._size += len(record)

    def note(self, text: str) -> None:
        """A line of the supervisor's own among those of the part."""
        self.write(f"[runner] {text}".encode())

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_suffix(".log.1"))
        self._file = self._path.open("ab", buffering=0)
        self._size = 0

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Copies a child's output until its end; what never ends in a newline is cut into pieces."""
        pending = b""
        while chunk := await stream.read(_CHUNK):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self.write(line)
            if len(pending) > _LONGEST_LINE:
                self.write(pending)
                pending = b""
        if pending:
            self.write(pending)

    def close(self) -> None:
        self._file.close()


def tail(folder: Path, name: str, count: int) -> list[str]:
    """The last lines of a part, without the time; empty when there are none."""
    try:
        text = (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.partition(" ")[2] for line in text.splitlines()[-count:]]
