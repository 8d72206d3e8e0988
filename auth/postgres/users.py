"""The table `users` within one transaction. Letter case is folded by PostgreSQL only, as its unique index does."""

from __future__ import annotations

from datetime import UTC

from sqlalchemy import Connection, Row, text

from auth.domain import NewUser, User
from common.errors import ConflictError

_FIND = text(
    "SELECT id, email, first_name, last_name, password, user_active, created_at, updated_at"
    " FROM users WHERE lower(email) = lower(:email)"
)
# Without a conflict target: an adopted table may have unique constraints of its own.
_ADD = text(
    "INSERT INTO users (email, first_name, last_name, password, user_active)"
    " VALUES (:email, :first_name, :last_name, :password, :active) ON CONFLICT DO NOTHING"
    " RETURNING id, email, first_name, last_name, password, user_active, created_at, updated_at"
)
# The same password in another form: to the outside the user has not changed, so updated_at stays.
_REPLACE_HASH = text("UPDATE users SET password = :fresh WHERE id = :id AND password = :known")


class PostgresUsers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_by_email(self, email: str) -> User | None:
        row = self._connection.execute(_FIND, {"email": email}).one_or_none()
        return None if row is None else _user(row)

    def add(self, user: NewUser) -> User:
        row = self._connection.execute(
            _ADD,
            {
                "email": user.email,
                "first_name": user.first_name,
                "last_name": user.last_name,
                "password": user.password_hash,
                "active": int(user.active),
            },
        ).one_or_none()
        if row is None:
            raise ConflictError("a user with this e-mail exists")
        return _user(row)

    def replace_hash(self, user: User, password_hash: str) -> None:
        self._connection.execute(_REPLACE_HASH, {"fresh": password_hash, "id": user.id, "known": user.password_hash})


def _user(row: Row[*tuple[object, ...]]) -> User:
    """The columns hold UTC without saying so, as the Go original's do. Only 1 means active."""
    return User(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        active=row.user_active == 1,
        password_hash=row.password,
        created_at=row.created_at.replace(tzinfo=UTC),
        updated_at=row.updated_at.replace(tzinfo=UTC),
    )
