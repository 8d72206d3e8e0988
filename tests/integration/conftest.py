"""Fixtures for tests with a worker of their own and a log store that the test holds in its hand, or with a database of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from auth.migrations.run import migrate
from common.postgres import create_postgres
from tests.auth.databases import own_database
from tests.services import free_port
from tests.system import System
from tests.worker.process import Store, Worker, worker

Start = Callable[..., Worker]


@pytest.fixture(scope="module")
def database(system: System) -> Iterator[tuple[str, Engine]]:
    """The address of an empty database with the tables of auth, and an engine on it."""
    with own_database(system.env["POSTGRES_ADMIN_DSN"]) as dsn:
        engine = create_postgres(dsn, pool_size=4)
        migrate(engine)
        yield dsn, engine
        engine.dispose()


@pytest.fixture(scope="module")
def alone(system: System) -> Iterator[System]:
    """The system with its own worker out of the way."""
    system.stop("worker")
    yield system
    system.start("worker")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def address() -> str:
    """Where the store will be found."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def start(alone: System, address: str, tmp_path: Path) -> Iterator[Start]:
    """Starts the worker; `changes` are variables of the environment."""
    opened = []

    def begin(**changes: str) -> Worker:
        environment = alone.environment(**{"WORKER_PORT": str(free_port()), "LOGGER_GRPC_ADDRESS": address, **changes})
        context = worker(environment, tmp_path / f"worker-{len(opened)}.log")
        opened.append(context)
        return context.__enter__()

    yield begin
    for context in opened:
        context.__exit__(None, None, None)
