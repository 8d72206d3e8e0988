"""Lets the health of a gRPC service say whether what it stands on can be used, so that callers who ask go elsewhere in time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class HealthWatch:
    """Looks every `every` seconds, in a thread of its own, and tells changes: `tell(False)` when `usable` says no, `tell(True)` after that.

    `usable` must come to an end by itself and not raise. Serving is what the service says before the first look.
    """

    def __init__(self, usable: Callable[[], bool], tell: Callable[[bool], object], *, every: float = 2.0) -> None:
        self._usable = usable
        self._tell = tell
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grpc-health", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Does not wait for a look that is under way; nothing is told after this."""
        self._stopping.set()

    def _run(self) -> None:
        serving = True
        while not self._stopping.wait(self._every):
            usable = self._usable()
            if usable is not serving and not self._stopping.is_set():
                serving = usable
                log.warning("grpc_health_changed", extra={"serving": serving})
                self._tell(serving)
