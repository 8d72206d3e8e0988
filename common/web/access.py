"""Who may call a route, declared beside it. A test proves that no route is without a declaration.

Declared, not yet enforced: the broker is open in development, and production is not supported before it checks callers.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from flask import Flask


class Access(StrEnum):
    PROBE = "probe"
    """Health of the process; answers to anyone, logged only when it fails."""
    PUBLIC = "public"
    """Anyone, always."""
    OPEN_IN_DEVELOPMENT = "open-in-development"
    """Anyone in development on loopback, as in the original system."""
    INTERNAL = "internal"
    """Other services of this system; the port is not published."""


_MARK = "declared_access"
_QUIET = "declared_quiet"

F = TypeVar("F", bound=Callable[..., object])


def access(level: Access, *, quiet: bool = False) -> Callable[[F], F]:
    """`quiet`: a success is worth a line in the log at level DEBUG only, as with every probe."""

    def declare(view: F) -> F:
        setattr(view, _MARK, level)
        setattr(view, _QUIET, quiet or level is Access.PROBE)
        return view

    return declare


def access_of(app: Flask, endpoint: str) -> Access | None:
    view = app.view_functions[endpoint]
    if endpoint == "static" or endpoint.endswith(".static"):
        return Access.PUBLIC
    declared = getattr(view, _MARK, None)
    return declared if isinstance(declared, Access) else None


def is_quiet(app: Flask, endpoint: str) -> bool:
    return bool(getattr(app.view_functions[endpoint], _QUIET, False))
