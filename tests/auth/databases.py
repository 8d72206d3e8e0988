"""Databases of their own for tests of the authentication service, in the running system's PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import make_dsn


@contextmanager
def own_database(admin_dsn: str) -> Iterator[str]:
    """The DSN of an empty database, dropped afterwards."""
    name = f"auth_test_{secrets.token_hex(4)}"
    _as_admin(admin_dsn, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_dsn(admin_dsn, dbname=name)
    finally:
        _as_admin(admin_dsn, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _as_admin(dsn: str, statement: sql.Composable) -> None:
    with closing(psycopg2.connect(dsn, connect_timeout=3)) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def query(dsn: str, statement: str, *values: object) -> list[tuple]:
    """The rows of one statement, committed; none for a statement that gives none."""
    with closing(psycopg2.connect(dsn, connect_timeout=3)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []
