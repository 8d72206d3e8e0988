"""A program that has started a system takes it down also when it is told to end by a signal."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def end_by_exception() -> None:
    """From now on SIGTERM and SIGHUP raise SystemExit in the main thread, so that every `finally` is carried out.

    The exit status is the shell's for that signal. Another one does not disturb the tidying up. A second call changes nothing.
    """
    for number in _SIGNALS:
        signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, _tidying)  # no SIG_IGN: the programs that tidy up would inherit it
    raise SystemExit(128 + number)


def _tidying(_number: int, _frame: FrameType | None) -> None:
    """The end is on its way."""
