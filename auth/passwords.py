"""bcrypt, always exactly one check for each attempt, whatever is stored.

bcrypt 5 raises on more than 72 bytes and on hashes it cannot read; both would tell known users from unknown ones, so the edge refuses
the first (https://github.com/pyca/bcrypt/pull/1000) and this module the second.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import bcrypt

from auth.gate import Gate

log = logging.getLogger(__name__)

# Costs from 04 to 16: a forged hash of cost 31 would keep a core busy for days. Go writes $2a$, this module $2b$.
# The 22 characters of the salt hold 128 bits, so the last one can be one of four only; bcrypt raises on the others.
_READABLE = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


# For the scheduler: who waits for a password check waits for a fifth of a second anyway, and shares the cores with requests that do not.
NICENESS = 5


class BcryptPasswords:
    """Checks run at a lower priority than everything else, on as many threads as may check at a time."""

    def __init__(self, *, cost: int, gate: Gate) -> None:
        self._cost = cost
        self._gate = gate
        self._threads = ThreadPoolExecutor(gate.slots, thread_name_prefix="bcrypt", initializer=_step_back)
        # A real hash: one that bcrypt cannot read would be refused in no time and so give unknown users away.
        self._nobody = hash_password(secrets.token_urlsafe(32), cost=cost)

    def matches(self, password: str, stored: str | None) -> bool:
        readable = stored is not None and _READABLE.fullmatch(stored) is not None
        if stored is not None and not readable:
            log.warning("stored_hash_unreadable")
        with self._gate.pass_through():
            against = (stored if stored and readable else self._nobody).encode()
            same = self._threads.submit(bcrypt.checkpw, password.encode(), against).result()
        return same and readable

    def hash(self, password: str) -> str:
        with self._gate.pass_through():
            return self._threads.submit(hash_password, password, cost=self._cost).result()

    def is_outdated(self, stored: str) -> bool:
        match = _READABLE.fullmatch(stored)
        return match is None or int(match[1]) != self._cost


def _step_back() -> None:
    """Linux keeps a priority for each thread; where it cannot be changed, checks compete as equals."""
    with suppress(OSError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def hash_password(password: str, *, cost: int) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()
