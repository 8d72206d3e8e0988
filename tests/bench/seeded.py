"""The log store filled once for all rows on searching, with a day of made-up entries whose words are known."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import requests

from tests.bench.store import Store
from tests.seeding.recipe import BATCH, Recipe
from tests.seeding.writing import written
from tests.system import System
from tests.waiting import eventually

_SEED = 20_261_121
_HOURS = 24
_INDEX_SECONDS = 1_800.0
_WAITING = 5 * BATCH


@dataclass(frozen=True, slots=True)
class Seeded:
    """`seconds`: writing them took so long; `index_seconds`: how long after that until the index over words was up to date."""

    recipe: Recipe
    seconds: float
    index_seconds: float


def fill(system: System, store: Store, count: int) -> Seeded:
    """Empties the store, fills it, and waits for what is indexed in the background. Raises UnavailableError."""
    store.clear()
    until = datetime.now(UTC).replace(microsecond=0)
    recipe = Recipe(count, until - timedelta(hours=_HOURS), until, _SEED, secrets.token_hex(3))
    began = time.monotonic()
    for _ in written(recipe, system.env["MONGO_URL"]):
        pass
    filled = time.monotonic()
    # the newest entries are not indexed before they have settled, and are searched directly until then
    eventually(lambda: is_indexed(system, recipe), seconds=_INDEX_SECONDS, every=1.0)
    return Seeded(recipe, filled - began, time.monotonic() - filled)


def is_indexed(system: System, recipe: Recipe) -> bool:
    """Whether the keeper has no work left. The last entries wait until there are enough of them."""
    blocks = requests.get(system.url("keeper", "/readyz"), timeout=10).json()["work"]["blocks"]
    newest = recipe.moment(max(0, recipe.count - _WAITING))
    return bool(blocks["caught_up"] and blocks["until"] and datetime.fromisoformat(blocks["until"]) >= newest)


def some_traces(recipe: Recipe, count: int) -> list[str]:
    """Trace ids of entries here and there."""
    chance = random.Random(recipe.seed)  # noqa: S311 - nothing is kept secret
    found: list[str] = []
    while len(found) < count:
        batch = recipe.batch(chance.randrange(recipe.batches))
        found += [entry.trace_id for entry in chance.sample(batch, min(20, len(batch))) if entry.trace_id]
    return found[:count]
