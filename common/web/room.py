"""Room for large request bodies: a process holds so many bytes of them at a time, however many clients send at once."""

from __future__ import annotations

import threading

from common.combining import MIB
from common.errors import TooManyError


class Room:
    """Thread-safe. `size` is in bytes; bodies of `small` bytes or less are not counted, since the number of connections bounds them."""

    def __init__(self, size: int = 128 * MIB, *, small: int = 64 * 1024) -> None:
        self._size = size
        self._small = small
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> int:
        """How many bytes to give back when the request is over. Raises TooManyError when there is no room for `count` more."""
        if count <= self._small:
            return 0
        with self._lock:
            if self._taken + count > self._size:
                raise TooManyError("too many large requests at the moment", retry_after=1)
            self._taken += count
        return count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._taken -= count


bodies = Room()
