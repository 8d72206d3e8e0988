"""The user that every example logs in with (seed 001). Made in development only."""

from __future__ import annotations

from sqlalchemy import Engine, text

from auth.domain import DEVELOPMENT_EMAIL, NewUser
from auth.migrations.run import lock
from auth.postgres.users import PostgresUsers
from common.postgres import transaction

_START_AT_ONE = text(
    "SELECT setval(pg_get_serial_sequence('users', 'id'), 1, false) WHERE NOT EXISTS (SELECT FROM users)"
)


def add_development_user(engine: Engine, *, password_hash: str) -> bool:
    """Whether it was added: a user with that e-mail, whatever became of it, is left alone. In an empty table it gets id 1."""
    with transaction(engine) as connection:
        lock(connection)
        users = PostgresUsers(connection)
        if users.find_by_email(DEVELOPMENT_EMAIL) is not None:
            return False
        connection.execute(_START_AT_ONE)
        users.add(NewUser(DEVELOPMENT_EMAIL, "Admin", "User", active=True, password_hash=password_hash))
        return True
