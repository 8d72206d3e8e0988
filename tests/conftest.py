"""Fixtures of more than one folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pymongo import MongoClient
from pymongo.collection import Collection

from compose.local.environment import read_dotenv
from compose.local.paths import TOOLS_ENV
from tests.browser import headless
from tests.system import System


def pytest_configure() -> None:
    """What `make tools` found or unpacked counts, unless the environment names something else."""
    if TOOLS_ENV.is_file() and (browser := read_dotenv(TOOLS_ENV).get("CHROMIUM")):
        os.environ.setdefault("CHROMIUM", browser)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Everything, on ports and data of its own; nothing is left behind.

    TEST_STATE names the folder of an instance called `test` that already runs, to save the start while writing tests.
    """
    running = os.environ.get("TEST_STATE")
    system = System(Path(running) if running else tmp_path_factory.mktemp("system"))
    try:
        system.up()
        yield system
    finally:
        if not running:
            system.down()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module only, since Playwright keeps an event loop running in the thread meanwhile."""
    with headless() as opened:
        yield opened


@pytest.fixture(scope="session")
def log_documents(system: System) -> Iterator[Collection]:
    """The log store's collection, read past every service."""
    client: MongoClient = MongoClient(system.env["MONGO_ADMIN_URL"], tz_aware=True, serverSelectionTimeoutMS=5000)
    yield client["logs"]["logs"]
    client.close()
