"""PostgreSQL: a pool with the seeds' limits, and errors in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from common.errors import UnavailableError

POOL_SIZE = 25
CONNECTION_LIFETIME_SECONDS = 300
CONNECT_SECONDS = 3
STATEMENT_MILLISECONDS = 3_000
POOL_WAIT_SECONDS = 5


def create_postgres(dsn: str, *, pool_size: int = POOL_SIZE, statement_ms: int = STATEMENT_MILLISECONDS) -> Engine:
    """An engine for `dsn`, libpq keywords or a URL. Build it after the fork; it connects on first use.

    Seed 004: at most 25 connections, kept up to 5 minutes. A caller waits for a free one instead of failing at once.
    """

    def connect() -> psycopg2.extensions.connection:
        return psycopg2.connect(
            dsn, connect_timeout=CONNECT_SECONDS, options=f"-c statement_timeout={statement_ms} -c timezone=UTC"
        )

    return create_engine(
        "postgresql+psycopg2://",
        creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=CONNECTION_LIFETIME_SECONDS,
        pool_pre_ping=True,
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: commits at the end, rolls back on any error. Raises UnavailableError when the database is away."""
    try:
        with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise UnavailableError("the database cannot be used now") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnavailableError("the database cannot be used now") from error
        raise
