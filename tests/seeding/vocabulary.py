"""The words, names and services that made-up entries consist of. Few of each are frequent and most are rare, as in real texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate, product

VOCABULARY = 20_000
# Zipf's law in Mandelbrot's form: the most frequent words do not crowd out all others.
_SHIFT = 2.7

_COMMON = (
    "request user order failed connection retry done timeout started cache finished payment session invalid message queue found missing token "
    "customer status update database response server delayed stored accepted refused closed opened worker item price stock parcel invoice"
    " address login password reset mail template sent received batch entries index search result empty limit exceeded slow query lock"
    " waiting released held partner remote local upstream service unavailable degraded recovered restart shutdown memory disk usage high low"
    " warning threshold reached reading writing file upload download image resized report created deleted expired renewed certificate"
    " checked verified signature mismatch duplicate ignored skipped scheduled job cleanup rotated archive backup restored version deployed"
    " feature flag enabled disabled currency rate converted rounding refund partial full cancelled shipped returned warehouse shelf"
    " counted adjusted supplier delivery tracking number carrier label printed discount coupon applied basket checkout abandoned"
)
_SYLLABLES = ["".join(pair) for pair in product("bcdfghklmnprstvwz", "aeiou")]

_SUBJECTS = {
    "orders": ("order", "basket", "checkout"),
    "payments": ("payment", "refund"),
    "auth": ("login", "password"),
    "catalog": ("product", "price"),
    "shipping": ("parcel", "label"),
    "mail": ("mail",),
    "search": ("query", "index"),
    "gateway": ("request", "session"),
    "billing": ("invoice",),
    "inventory": ("stock",),
    "reports": ("report",),
    "jobs": ("job",),
}
_VERBS = (
    "created",
    "updated",
    "finished",
    "failed",
    "retried",
    "delayed",
    "cancelled",
    "checked",
    "expired",
    "archived",
)
SERVICES = tuple(_SUBJECTS)


def cumulative_zipf(count: int, exponent: float = 1.0) -> list[float]:
    """For `random.choices`: running totals of weights that fall with the rank."""
    return list(accumulate(1 / (rank + _SHIFT) ** exponent for rank in range(count)))


def words() -> list[str]:
    """`VOCABULARY` different words, those first that shall be frequent; the short ones are among them."""
    made = ("".join(parts) for length in (2, 3) for parts in product(_SYLLABLES, repeat=length))
    found = dict.fromkeys(_COMMON.split())
    while len(found) < VOCABULARY:
        found[next(made)] = None
    return list(found)


def names(seed: int) -> list[tuple[str, str]]:
    """Pairs of an entry's name and its service, 200 of them; which are frequent is drawn with `seed`."""
    found = [
        (f"{subject}.{verb}", service)
        for service, subjects in _SUBJECTS.items()
        for subject in subjects
        for verb in _VERBS
    ]
    random.Random(seed).shuffle(found)  # noqa: S311 - nothing is kept secret
    return found


class Drawer:
    """Draws from `choices` by Zipf's law."""

    def __init__(self, choices: Sequence[str], exponent: float = 1.0) -> None:
        self._choices = choices
        self._weights = cumulative_zipf(len(choices), exponent)

    def draw(self, chance: random.Random, count: int) -> list[str]:
        return chance.choices(self._choices, cum_weights=self._weights, k=count)
