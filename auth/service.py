"""The use cases of the authentication service."""

from __future__ import annotations

import logging
from typing import NoReturn

from auth.domain import NewUser, User, logged_in, login_refused, user_created
from auth.ports import Passwords, Store
from common.errors import TooManyError, UnauthenticatedError

log = logging.getLogger(__name__)

REFUSAL = "invalid credentials"


class Authentication:
    def __init__(self, store: Store, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    def login(self, email: str, password: str) -> User:
        """The active user with this e-mail and password; the attempt is recorded either way.

        Raises UnauthenticatedError, alike in text, time and record whether the user is unknown or inactive or the password
        is wrong. Raises TooManyError when too many passwords are being checked.
        """
        with self._store.begin() as unit:
            user = unit.users.find_by_email(email)
        # No transaction is open here: a check takes long, and a connection held that long is one that others miss.
        right = self._passwords.matches(password, user.password_hash if user else None)
        if user is None or not right or not user.active:
            self._refuse(email)
        fresh_hash = self._fresh_hash(user, password)
        with self._store.begin() as unit:
            if fresh_hash is not None:
                unit.users.replace_hash(user, fresh_hash)
            unit.events.record(logged_in(user))
        return user

    def _refuse(self, email: str) -> NoReturn:
        with self._store.begin() as unit:
            unit.events.record(login_refused(email))
        raise UnauthenticatedError(REFUSAL)

    def _fresh_hash(self, user: User, password: str) -> str | None:
        """A hash of today's cost, if the stored one is not; the next login is soon enough when there is no room now."""
        if not self._passwords.is_outdated(user.password_hash):
            return None
        try:
            return self._passwords.hash(password)
        except TooManyError:
            log.info("rehash_postponed", extra={"user_id": user.id})
            return None


class Registration:
    def __init__(self, store: Store, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    def register(self, email: str, password: str, *, first_name: str, last_name: str, active: bool) -> User:
        """Records it. Raises ConflictError when the e-mail is taken."""
        user = NewUser(email, first_name, last_name, active, self._passwords.hash(password))
        with self._store.begin() as unit:
            added = unit.users.add(user)
            unit.events.record(user_created(added))
        return added
