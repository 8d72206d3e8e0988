"""The composition root of the keeper, `python -m logger keeper`: its chores, its lease, its probes. Ends by SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from pymongo import MongoClient

from common.clock import SystemClock
from common.lifecycle import Lifecycle
from common.logs import configure
from common.mongo import Document, check_mongo, create_mongo, mongo_may_be_away
from logger.keeping.archive import DayFiles
from logger.keeping.health import HealthServer, Progress
from logger.keeping.keeper import Chore, Keeper, Pace
from logger.keeping.sweep import Sweep
from logger.mongo.building import BlockBuilder
from logger.mongo.documents import COLLECTION
from logger.mongo.lease import MongoLease
from logger.mongo.marks import BlockMarks
from logger.mongo.retention import MongoRules, MongoShelf
from logger.mongo.sealing import AuditSealer
from logger.settings import LoggerSettings

log = logging.getLogger(__name__)


def build(settings: LoggerSettings) -> Lifecycle:
    """Nothing connects or listens before it starts."""
    client = create_mongo(settings.mongo_url, app_name="keeper")
    database = client.get_default_database(default="logs")
    logs = database[COLLECTION]

    def stored() -> int:
        with mongo_may_be_away("the log store's database cannot be used now"):
            return logs.estimated_document_count(maxTimeMS=1_000)

    lease = MongoLease(database)
    blocks = BlockBuilder(database)
    audit = AuditSealer(database, SystemClock())
    chores: list[Chore] = [blocks, audit, _retention(client, settings)]
    keeper = Keeper(chores, lease=lease, pace=Pace(stored))
    progress: dict[str, Progress] = {
        "keeper": lambda: {"working": lease.has},
        "blocks": blocks.progress,
        "audit": audit.progress,
    }
    health = HealthServer(settings.bind_host, settings.keeper_port, {"mongo": lambda: check_mongo(client)}, progress)
    lifecycle = Lifecycle()
    lifecycle.add("mongo", stop=client.close)
    # before the work: a second keeper by accident is to be loud at once
    lifecycle.add("health", start=health.start, stop=health.stop)
    lifecycle.add("keeper", start=keeper.start, stop=keeper.stop)
    return lifecycle


def _retention(client: MongoClient[Document], settings: LoggerSettings) -> Sweep:
    """In the folder, should there be one, lies what it deletes."""
    folder = settings.logger_export_to
    return Sweep(
        MongoRules(client),
        MongoShelf(client),
        clock=SystemClock(),
        marks=BlockMarks(client.get_default_database(default="logs")),
        archive=DayFiles(folder) if folder else None,
    )


def run(settings: LoggerSettings) -> int:
    """Returns the exit code when it is told to stop."""
    configure("keeper", level=settings.log_level, style=settings.log_format)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    lifecycle = build(settings)
    try:
        lifecycle.start()
    except OSError as error:
        extra = {"port": settings.keeper_port, "variable": "KEEPER_PORT", "reason": error.strerror}
        log.critical("port_taken", extra=extra)
        return 1
    log.info("keeper_started", extra={"port": settings.keeper_port})
    stopping.wait()
    lifecycle.stop()
    log.info("keeper_stopped")
    return 0
