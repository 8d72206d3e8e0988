"""Writes the entries of a recipe into MongoDB, in the log store's own way, with several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

from common.errors import UnavailableError
from common.mongo import create_mongo
from logger.mongo.store import MongoLogStore
from tests.seeding.recipe import Recipe

# Beside one process that waits for the database the others make entries.
PROCESSES = (os.cpu_count() or 1) + 1
_MORE_ATTEMPTS = 4


def written(recipe: Recipe, mongo: str, *, processes: int = PROCESSES) -> Iterator[int]:
    """How many entries each batch added, oldest batch first, as they are stored. Raises UnavailableError."""
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(recipe, mongo),
    ) as pool:
        try:
            yield from pool.map(_write, range(recipe.batches))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Job:
    """What one process works on."""

    recipe: Recipe
    store: MongoLogStore


def _begin(recipe: Recipe, mongo: str) -> None:
    """Ctrl-C is for the process that leads: it lets the others end their batch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Job.recipe = recipe
    _Job.store = MongoLogStore(create_mongo(mongo, app_name="seeding"))


def _write(number: int) -> int:
    """The ids stay the same, so what an attempt of unknown outcome has stored is not stored twice."""
    entries = _Job.recipe.batch(number)
    for _ in range(_MORE_ATTEMPTS):
        with suppress(UnavailableError):
            return sum(_Job.store.insert(entries))
    return sum(_Job.store.insert(entries))
