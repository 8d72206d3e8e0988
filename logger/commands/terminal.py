"""What commands say: results on standard output, everything about them on standard error; coloured on a terminal that wants it."""

from __future__ import annotations

import sys
import time

from logger.settings import wants_no_colour

CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "grey": "90", "bold": "1", "alarm": "1;37;41"}
# Between two drawings of the progress.
_DRAW_SECONDS = 0.2
_BAR = 24


def say(text: str) -> None:
    """A line of the result. Raises BrokenPipeError when nobody reads any more."""
    sys.stdout.write(text + "\n")


def say_bytes(text: bytes) -> None:
    """As `say`, with the line's end in the text."""
    sys.stdout.buffer.write(text)


def flush() -> None:
    sys.stdout.flush()


def tell(text: str) -> None:
    """A remark: to people, not part of the result. What a terminal would obey is taken out; it may come from a file or from a server."""
    sys.stderr.write(f"logger: {harmless(text)}\n")
    sys.stderr.flush()


class Paint:
    """Colours, if standard output is a terminal and NO_COLOR (no-color.org) is not set."""

    def __init__(self) -> None:
        self._on = sys.stdout.isatty() and not wants_no_colour()

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if self._on and text and colour else text


def harmless(text: str, *, keep: str = "") -> str:
    """Without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else " " for each in text)


class Progress:
    """One line on standard error that is drawn again and again; nothing where that is no terminal."""

    def __init__(self, what: str) -> None:
        """`what` is done with entries, such as "imported"."""
        self._what = what
        self._on = sys.stderr.isatty()
        self._began = time.monotonic()
        self._drawn = 0.0

    def show(self, entries: int, share: float | None = None) -> None:
        now = time.monotonic()
        if not self._on or now - self._drawn < _DRAW_SECONDS:
            return
        self._drawn = now
        rate = entries / max(0.001, now - self._began)
        bar = ""
        if share is not None:
            full = round(share * _BAR)
            bar = f"[{'#' * full}{'.' * (_BAR - full)}] {share:4.0%}  "
        sys.stderr.write(f"\r\x1b[K{bar}{entries:,} {self._what}, {rate:,.0f}/s")
        sys.stderr.flush()

    def end(self) -> None:
        """Clears the line."""
        if self._on and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Aligned columns; trailing blanks are cut."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
