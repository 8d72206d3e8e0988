"""The composition root of the keeper, `python -m logger keeper`: its chores, its lease, its probes. Ends by SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from common.lifecycle import Lifecycle
from common.logs import configure
from common.mongo import check_mongo, create_mongo
from logger.keeper import Chore, Keeper, Pace
from logger.keeper_health import HealthServer, Progress
from logger.mongo.building import BlockBuilder
from logger.mongo.documents import COLLECTION
from logger.mongo.lease import MongoLease
from logger.settings import LoggerSettings

log = logging.getLogger(__name__)


def build(settings: LoggerSettings) -> Lifecycle:
    """Nothing connects or listens before it starts."""
    client = create_mongo(settings.mongo_url, app_name="keeper")
    database = client.get_default_database(default="logs")
    logs = database[COLLECTION]
    lease = MongoLease(database)
    blocks = BlockBuilder(database)
    chores: list[Chore] = [blocks]
    keeper = Keeper(chores, lease=lease, pace=Pace(lambda: logs.estimated_document_count(maxTimeMS=1_000)))
    progress: dict[str, Progress] = {"keeper": lambda: {"working": lease.has}, "blocks": blocks.progress}
    health = HealthServer(settings.bind_host, settings.keeper_port, {"mongo": lambda: check_mongo(client)}, progress)
    lifecycle = Lifecycle()
    lifecycle.add("mongo", stop=client.close)
    # before the work: a second keeper by accident is to be loud at once
    lifecycle.add("health", start=health.start, stop=health.stop)
    lifecycle.add("keeper", start=keeper.start, stop=keeper.stop)
    return lifecycle


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
