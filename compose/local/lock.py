"""One supervisor for each instance: whoever holds the lock runs it, and the kernel lets go when it dies."""

from __future__ import annotations

import fcntl
import os

from compose.local.paths import Instance


class AlreadyRunningError(Exception):
    """Another process holds the instance."""


def hold(instance: Instance) -> int:
    """The descriptor that keeps the instance ours while it is open. Raises AlreadyRunningError."""
    lock = os.open(instance.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise AlreadyRunningError(instance.name) from error
    return lock


def is_held(instance: Instance) -> bool:
    if not instance.run.is_dir():
        return False
    try:
        os.close(hold(instance))
    except AlreadyRunningError:
        return True
    return False
