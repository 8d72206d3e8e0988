"""`logs`: all parts in order of time, one colour each, JSON lines made readable."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from compose.local.paths import Instance
from compose.local.terminal import WHEEL, complain, paint, say

_PAUSE = 0.2
_PER_LINE = 400
_LEVELS = {"W": "WARNING", "E": "ERROR", "F": "FATAL", "I": "INFO", "D": "DEBUG"}
_ALARMING = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "FATAL": "red"}
# told by the columns of the view, or the same on every line
_HEAD = frozenset({"ts", "level", "service", "msg", "version"})


@dataclass(frozen=True, slots=True)
class Line:
    """As the supervisor wrote it; `stamp` sorts as text."""

    stamp: str
    part: str
    text: str

    @classmethod
    def parse(cls, raw: bytes, part: str) -> Self:
        stamp, _, text = raw.decode("utf-8", "replace").rstrip("\n").partition(" ")
        return cls(stamp, part, text)


class Follower:
    """Reads what is appended to one log file, through its rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._pending = b""

    def last(self, count: int) -> list[Line]:
        """The newest lines; afterwards `fresh` goes on from here."""
        self._file = self._path.open("rb")
        size = self._file.seek(0, 2)
        start = max(0, size - count * _PER_LINE)
        self._file.seek(start)
        lines = self._read()
        return lines[1 if start else 0 :][-count:]

    def fresh(self) -> list[Line]:
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = self._path.open("rb")
        lines = self._read()
        if self._was_rotated(self._file):
            self.close()
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _was_rotated(self, file: BinaryIO) -> bool:
        try:
            return self._path.stat().st_ino != Path(f"/proc/self/fd/{file.fileno()}").stat().st_ino
        except OSError:
            return True

    def _read(self) -> list[Line]:
        assert self._file is not None  # noqa: S101 - for the type checker
        *lines, self._pending = (self._pending + self._file.read()).split(b"\n")
        return [Line.parse(line, self._path.stem) for line in lines]


def show_logs(instance: Instance, names: Sequence[str], *, count: int, follow: bool) -> int:
    """Prints the newest `count` lines of all parts together, then what comes, until interrupted."""
    paths = sorted(path for path in instance.logs.glob("*.log") if not names or path.stem in names)
    missing = set(names) - {path.stem for path in paths}
    if missing or not paths:
        complain(f"no log of {', '.join(sorted(missing)) or 'any part'} in {instance.logs}")
        return 1
    colours = {path.stem: WHEEL[index % len(WHEEL)] for index, path in enumerate(paths)}
    with ExitStack() as open_files:
        followers = [Follower(path) for path in paths]
        for each in followers:
            open_files.callback(each.close)
        _print([line for each in followers for line in each.last(count)], colours, count)
        while follow:
            _print([line for each in followers for line in each.fresh()], colours)
            time.sleep(_PAUSE)
    return 0


def _print(lines: Iterable[Line], colours: dict[str, str], count: int = 0) -> None:
    ordered = sorted(lines, key=lambda line: line.stamp)
    width = max(map(len, colours))
    for line in ordered[-count:]:
        name = paint(line.part.ljust(width), colours[line.part])
        say(f"{paint(_clock(line.stamp), 'grey')} {name} | {render(line.text)}")


def _clock(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except ValueError:
        return stamp[:12].ljust(12)


def render(text: str) -> str:
    """A JSON log line of our services or of mongod as `LEVEL message name=value ...`; anything else as it is."""
    if not text.startswith("{"):
        return text
    try:
        record = json.loads(text)
    except ValueError:
        return text
    if not isinstance(record, dict) or "msg" not in record:
        return text
    if "level" in record:
        extras = {name: value for name, value in record.items() if name not in _HEAD}
        return _sentence(str(record["level"]), str(record["msg"]), extras)
    attributes = record.get("attr")
    extras = attributes if isinstance(attributes, dict) else {}
    return _sentence(_LEVELS.get(str(record.get("s", "I")), "INFO"), str(record["msg"]), extras)


def _sentence(level: str, message: str, extras: dict[str, Any]) -> str:
    shown = level.upper()
    colour = _ALARMING.get(shown)
    pairs = " ".join(paint(f"{name}={_value(value)}", "grey") for name, value in extras.items())
    return f"{paint(shown, colour) if colour else shown} {message} {pairs}".rstrip()


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
