"""Users and events in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from auth.events import OutboxEvents
from auth.ports import Unit
from auth.postgres.users import PostgresUsers
from common.clock import Clock
from common.errors import UnavailableError
from common.postgres import transaction


def _nobody_waits() -> None:
    """For a process without a relay: another one finds the events."""


class PostgresStore:
    def __init__(self, engine: Engine, clock: Clock, *, on_events: Callable[[], None] = _nobody_waits) -> None:
        """`on_events` is called after the commit of a transaction that recorded any."""
        self._engine = engine
        self._clock = clock
        self._on_events = on_events

    @contextmanager
    def begin(self) -> Iterator[Unit]:
        with transaction(self._engine) as connection:
            events = OutboxEvents(connection, self._clock)
            yield Unit(PostgresUsers(connection), events)
        if events.recorded:
            self._on_events()

    def check(self) -> None:
        """For readiness: the tables are there. Raises when they are not, or the database is away."""
        try:
            with transaction(self._engine) as connection:
                connection.execute(text("SELECT FROM users, outbox LIMIT 0"))
        except ProgrammingError as error:
            raise UnavailableError("the tables are missing; run `python -m auth setup`") from error
