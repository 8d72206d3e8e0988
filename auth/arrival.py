"""Waits for PostgreSQL and looks at what is already there.

Needs the driver only: this runs at every start of the system, and importing more would take longer than the look itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2
from psycopg2.errors import UndefinedTable

from auth.domain import DEVELOPMENT_EMAIL
from common.errors import UnavailableError

# Seed 004: five tries, two seconds apart.
TRIES = 5
PAUSE_SECONDS = 2.0
CONNECT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Found:
    revision: str | None
    has_development_user: bool


def _rest(seconds: float) -> None:
    threading.Event().wait(seconds)


def look(dsn: str, *, rest: Callable[[float], object] = _rest) -> Found:
    """Raises UnavailableError, with the server's reason, when PostgreSQL does not answer after all tries."""
    connection = _connected(dsn, rest)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            revision = _revision(cursor)
            has_user = revision is not None and _has_development_user(cursor)
    finally:
        connection.close()
    return Found(revision, has_user)


def _connected(dsn: str, rest: Callable[[float], object]) -> psycopg2.extensions.connection:
    reason = ""
    for attempt in range(1, TRIES + 1):
        try:
            return psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)
        except psycopg2.OperationalError as error:
            reason = _reason(error)
        if attempt < TRIES:
            rest(PAUSE_SECONDS)
    raise UnavailableError(f"PostgreSQL does not let us in after {TRIES} tries, {PAUSE_SECONDS:g} s apart: {reason}")


def _reason(error: psycopg2.OperationalError) -> str:
    """The first line of what libpq says, without the address before it."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[0].rpartition("failed: ")[2].removeprefix("FATAL:").strip()


def _revision(cursor: psycopg2.extensions.cursor) -> str | None:
    try:
        cursor.execute("SELECT version_num FROM alembic_version")
    except UndefinedTable:
        return None
    row = cursor.fetchone()
    return row[0] if row else None


def _has_development_user(cursor: psycopg2.extensions.cursor) -> bool:
    """Only for a schema of ours: before that, `users` may be anything."""
    cursor.execute("SELECT id FROM users WHERE lower(email) = %s", (DEVELOPMENT_EMAIL,))
    return cursor.fetchone() is not None
