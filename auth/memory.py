"""The store in memory, for tests and trials: the same promises, one transaction at a time, nothing kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from auth.domain import LogEvent, NewUser, User
from auth.ports import Unit
from common.clock import Clock
from common.errors import ConflictError


class MemoryUsers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: dict[int, User] = {}

    def find_by_email(self, email: str) -> User | None:
        return next((user for user in self.rows.values() if user.email.lower() == email.lower()), None)

    def add(self, user: NewUser) -> User:
        if self.find_by_email(user.email) is not None:
            raise ConflictError("a user with this e-mail exists")
        now = self._clock.now()
        added = User(
            id=max(self.rows, default=0) + 1,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            active=user.active,
            password_hash=user.password_hash,
            created_at=now,
            updated_at=now,
        )
        self.rows[added.id] = added
        return added

    def replace_hash(self, user: User, password_hash: str) -> None:
        kept = self.rows.get(user.id)
        if kept is not None and kept.password_hash == user.password_hash:
            self.rows[user.id] = replace(kept, password_hash=password_hash)


class MemoryEvents:
    def __init__(self) -> None:
        self.recorded: list[LogEvent] = []

    def record(self, event: LogEvent) -> None:
        self.recorded.append(event)


class MemoryStore:
    def __init__(self, clock: Clock) -> None:
        self.users = MemoryUsers(clock)
        self.events = MemoryEvents()
        self._lock = threading.Lock()

    @contextmanager
    def begin(self) -> Iterator[Unit]:
        with self._lock:
            rows, recorded = dict(self.users.rows), list(self.events.recorded)
            try:
                yield Unit(self.users, self.events)
            except BaseException:
                self.users.rows, self.events.recorded = rows, recorded
                raise
