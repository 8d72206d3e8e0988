"""MongoDB: a client that acknowledges only what a majority has in its journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, PyMongoError

from common.errors import UnavailableError

Document = dict[str, Any]


def create_mongo(url: str, *, app_name: str) -> MongoClient[Document]:
    """Build it after the fork; it connects on first use. Times are milliseconds; dates come back aware, in UTC.

    Whatever others put into the database can be read: what is no UTF-8 comes back with U+FFFD, a date beyond Python's calendar as its end.
    """
    return MongoClient(
        url,
        appname=app_name,
        w="majority",
        journal=True,
        retryWrites=True,
        tz_aware=True,
        datetime_conversion="DATETIME_CLAMP",
        unicode_decode_error_handler="replace",
        connectTimeoutMS=3_000,
        serverSelectionTimeoutMS=3_000,
        socketTimeoutMS=10_000,
        connect=False,
    )


def check_mongo(client: MongoClient[Document]) -> None:
    """For readiness: raises unless a primary answers within a second."""
    client.admin.command("ping", maxTimeMS=1_000)


@contextmanager
def mongo_may_be_away(message: str) -> Iterator[None]:
    """Turns what comes of a server that is away, changes its role or is too slow into UnavailableError; other errors are a bug's."""
    try:
        yield
    except PyMongoError as error:
        if isinstance(error, ConnectionFailure) or error.timeout:
            raise UnavailableError(message) from error
        raise
