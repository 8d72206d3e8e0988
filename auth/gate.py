"""Room for password checks, each of which keeps a core busy.

Every thread that waits here is one that serves nothing else, so the queue is shorter than the service has threads.
"""

from __future__ import annotations

import os

from common import gate

MOST_WAITING = 64
# Below the 30 s that the gateway waits for an answer, and enough for 64 logins on two slow cores.
PATIENCE_SECONDS = 20.0
RETRY_SECONDS = 2
REFUSAL = "too many logins at the moment"


class Gate(gate.Gate):
    def __init__(self, *, slots: int, waiting: int, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__(slots=slots, waiting=waiting, patience=patience, refusal=REFUSAL, retry_after=RETRY_SECONDS)


def gate_for(threads: int) -> Gate:
    """One slot a core, and a quarter of the service's threads always left for other requests."""
    usable = threads - max(1, threads // 4)
    slots = min(len(os.sched_getaffinity(0)), max(1, usable // 2))
    return Gate(slots=slots, waiting=min(MOST_WAITING, usable - slots))
