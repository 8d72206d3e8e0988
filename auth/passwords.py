"""bcrypt, always exactly one check for each attempt, whatever is stored.

bcrypt 5 raises on more than 72 bytes and on hashes it cannot read; both would tell known users from unknown ones, so the edge refuses
the first (https://github.com/pyca/bcrypt/pull/1000) and this module the second.
"""

from __future__ import annotations

import logging
import re
import secrets

import bcrypt

from auth.gate import Gate

log = logging.getLogger(__name__)

# Costs from 04 to 16: a forged hash of cost 31 would keep a core busy for days. Go writes $2a$, this module $2b$.
# The 22 characters of the salt hold 128 bits, so the last one can be one of four only; bcrypt raises on the others.
_READABLE = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


class BcryptPasswords:
    def __init__(self, *, cost: int, gate: Gate) -> None:
        self._cost = cost
        self._gate = gate
        # A real hash: one that bcrypt cannot read would be refused in no time and so give unknown users away.
        self._nobody = hash_password(secrets.token_urlsafe(32), cost=cost)

    def matches(self, password: str, stored: str | None) -> bool:
        readable = stored is not None and _READABLE.fullmatch(stored) is not None
        if stored is not None and not readable:
            log.warning("stored_hash_unreadable")
        with self._gate.pass_through():
            same = bcrypt.checkpw(password.encode(), (stored if stored and readable else self._nobody).encode())
        return same and readable

    def hash(self, password: str) -> str:
        with self._gate.pass_through():
            return hash_password(password, cost=self._cost)

    def is_outdated(self, stored: str) -> bool:
        match = _READABLE.fullmatch(stored)
        return match is None or int(match[1]) != self._cost


def hash_password(password: str, *, cost: int) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()
