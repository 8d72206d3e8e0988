"""Users, and what is told about them and their logins. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from protos.limits import AUDIT

# bcrypt reads no further.
MAX_PASSWORD_BYTES = 72
EVENT_NAME = "authentication"
# Seed 001; public, so production refuses to have it.
DEVELOPMENT_EMAIL = "admin@example.com"
DEVELOPMENT_PASSWORD = "verysecret"  # noqa: S105 - printed in every README of the family
# An e-mail in a refused login is whatever somebody typed.
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class NewUser:
    email: str
    first_name: str
    last_name: str
    active: bool
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    id: int
    email: str
    first_name: str
    last_name: str
    active: bool
    password_hash: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something for the log, told to the rest of the system as a message. Of the category `audit` it is kept for good."""

    level: str
    data: str
    name: str = EVENT_NAME
    category: str = AUDIT


def logged_in(user: User) -> LogEvent:
    return LogEvent("INFO", f"{user.email} logged in")


def user_created(user: User) -> LogEvent:
    return LogEvent("INFO", f"user {user.email} was created")


def login_refused(email: str) -> LogEvent:
    """The same for every reason, so that readers of the log learn no more than the caller did."""
    shown = email if len(email) <= _SHOWN_CHARACTERS else f"{email[:_SHOWN_CHARACTERS]}…"
    return LogEvent("WARNING", f"login refused for {shown}")
