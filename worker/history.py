"""What a message's headers tell about its past: the attempts so far, the tier that is next, and what a copy of it carries. Pure functions.

Headers may come from anybody: what is not in our own form counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from protos.topics import (
    ATTEMPTS_HEADER,
    EARLIER_DEATH_HEADER,
    FIRST_SEEN_HEADER,
    LOGS_RETRY_TIERS,
    PARKED_HEADER,
    REASON_HEADER,
    REFUSED_AT_HEADER,
    REPLAYED_AT_HEADER,
)

Headers = Mapping[str, object]

TIERS = tuple(LOGS_RETRY_TIERS)
# Where what only waits for the log store is put.
PARKING_TIER = TIERS[-1]
REPLAY = "replay"

MAX_ATTEMPTS = 20
MAX_REASON_CHARACTERS = 300
MAX_DEATHS = 10

# RabbitMQ counts in them on each queue anew.
_COUNTERS = ("x-delivery-count", "x-acquired-count")
# With an x-death of this queue in it, RabbitMQ takes a message that expires in a tier for a cycle and drops it without a word.
_DEATH = "x-death"
_BROKERS_OWN = ("x-first-death-", "x-last-death-")


def attempts(headers: Headers) -> list[dict[str, str]]:
    """Oldest first."""
    text = headers.get(ATTEMPTS_HEADER)
    if not isinstance(text, str):
        return []
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(found, list):
        return []
    return [{key: str(value) for key, value in each.items()} for each in found if isinstance(each, dict)]


def next_tier(headers: Headers) -> str | None:
    """The tier after the last one that the message climbed to since it came or was replayed; None after the last."""
    climbed = 0
    for attempt in attempts(headers):
        tier = attempt.get("tier")
        climbed = 0 if tier == REPLAY else climbed + (tier in LOGS_RETRY_TIERS)
    return TIERS[climbed] if climbed < len(TIERS) else None


def deliveries_before(headers: Headers) -> int:
    """How often RabbitMQ has delivered the message before without an end of it."""
    count = headers.get("x-delivery-count")
    return count if isinstance(count, int) else 0


def failed(headers: Headers, *, at: str, reason: str, tier: str) -> dict[str, object]:
    """The headers of a copy that goes to `tier` after an attempt at `at` (RFC 3339)."""
    attempt = {"at": at, "reason": reason[:MAX_REASON_CHARACTERS], "tier": tier}
    past = attempts(headers)
    # The first tells what went wrong to begin with; what is left out is the middle.
    past = past[:1] + past[1:][2 - MAX_ATTEMPTS :]
    kept = without_counters(headers)
    return {FIRST_SEEN_HEADER: at, **kept, ATTEMPTS_HEADER: orjson.dumps([*past, attempt]).decode()}


def parked(headers: Headers, *, at: str) -> dict[str, object]:
    """The headers of a copy that only waits."""
    before = headers.get(PARKED_HEADER)
    times = before + 1 if isinstance(before, int) and before > 0 else 1
    return {FIRST_SEEN_HEADER: at, **without_counters(headers), PARKED_HEADER: times}


def replayed(headers: Headers, *, at: str) -> dict[str, object]:
    """The headers of a dead letter's copy that has all its attempts before it again."""
    fresh = failed(headers, at=at, reason="replayed", tier=REPLAY)
    return {**returning(_without(fresh, (REASON_HEADER, REFUSED_AT_HEADER))), REPLAYED_AT_HEADER: at}


def returning(headers: Headers) -> dict[str, object]:
    """`headers` for a copy on its way back to the listener, without what the broker would act on."""
    kept = {
        name: value
        for name, value in headers.items()
        if name != _DEATH and not name.startswith(_BROKERS_OWN) and name != EARLIER_DEATH_HEADER
    }
    earlier, latest = headers.get(EARLIER_DEATH_HEADER), headers.get(_DEATH)
    deaths = [
        death
        for found in (latest, earlier)
        if isinstance(found, list)
        for death in found
        if isinstance(death, dict) and death.get("queue") not in LOGS_RETRY_TIERS
    ]
    return {**kept, EARLIER_DEATH_HEADER: deaths[:MAX_DEATHS]} if deaths else kept


def without_counters(headers: Headers) -> dict[str, object]:
    return _without(headers, _COUNTERS)


def _without(headers: Headers, names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name, value in headers.items() if name not in names}
