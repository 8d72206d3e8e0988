"""What the commands ask: the log store's database, where MONGO_URL says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from common.errors import InvalidError
from common.mongo import Document, create_mongo
from logger.mongo.blocks import BlockIndex
from logger.mongo.reader import MongoLogReader
from logger.query.filters import Filter
from logger.query.language import filter_of
from logger.settings import LoggerSettings


@contextmanager
def opened(settings: LoggerSettings) -> Iterator[MongoClient[Document]]:
    """Raises InvalidError when the address is none; nothing connects before it is used."""
    try:
        client = create_mongo(settings.mongo_url, app_name="logger-cli")
        client.get_default_database(default="logs")
    except (ValueError, PyMongoError) as error:
        raise InvalidError("MONGO_URL: is no address of a MongoDB database, such as mongodb://host/logs") from error
    try:
        yield client
    finally:
        client.close()


def reader_of(client: MongoClient[Document]) -> MongoLogReader:
    return MongoLogReader(client, candidates=BlockIndex(client.get_default_database(default="logs")))


def wanted_of(options: Any) -> Filter:  # noqa: ANN401 - argparse's namespace
    """The filter in the options `query`, `since` and `until`. Raises InvalidError."""
    values = {"q": " ".join(options.query), "since": options.since, "until": options.until}
    return filter_of({name: value for name, value in values.items() if value}, now=datetime.now(UTC))
