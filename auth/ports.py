"""What the use cases need from outside."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from auth.domain import LogEvent, NewUser, User


class Users(Protocol):
    def find_by_email(self, email: str) -> User | None:
        """Capital and small letters count as the same."""

    def add(self, user: NewUser) -> User:
        """Raises ConflictError when the e-mail is taken."""

    def replace_hash(self, user: User, password_hash: str) -> None:
        """Does nothing when the user's password was changed since `user` was read."""


class Events(Protocol):
    def record(self, event: LogEvent) -> None:
        """The event is sent if, and only if, the transaction commits; sending needs nobody's presence now."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one transaction works on."""

    users: Users
    events: Events


class Store(Protocol):
    def begin(self) -> AbstractContextManager[Unit]:
        """A transaction: commits at the end, changes nothing on an error. Raises UnavailableError."""


class Passwords(Protocol):
    def matches(self, password: str, stored: str | None) -> bool:
        """Whether `password` belongs to the hash `stored`.

        Takes as long when `stored` is None, which stands for a user who does not exist. Raises TooManyError.
        """

    def hash(self, password: str) -> str:
        """Raises TooManyError."""

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash made now would be stronger or weaker."""
