"""The composition root of the log store: one use case behind an HTTP, a gRPC and a TCP door."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from flask import Flask
from pymongo.errors import PyMongoError

from common.clock import SystemClock
from common.lifecycle import Lifecycle, patiently
from common.mongo import check_mongo, create_mongo
from common.rpc.grpc_server import GrpcServer, ServerOptions, build_server
from common.rpc.grpc_watch import HealthWatch
from common.rpc.tcp_server import Limits, TcpServer
from common.web.app import create_flask
from common.web.health import Check, examine
from logger.grpc_servicer import SERVICE_NAME, LogServicer
from logger.mongo.store import MongoLogStore
from logger.ports import LogStore
from logger.routes import logs_blueprint
from logger.rpc_methods import RpcMethods
from logger.rpc_sessions import SniffingSession
from logger.service import LogService
from logger.settings import LoggerSettings
from logger.writer import LogWriter
from protos import logs_pb2_grpc

log = logging.getLogger(__name__)


def create_app(settings: LoggerSettings, *, store: LogStore | None = None) -> Flask:
    """Nothing listens or writes before the lifecycle starts. `store` replaces MongoDB in tests."""
    lifecycle = Lifecycle()
    checks: dict[str, Check] = {}
    if store is None:
        store = _mongo_store(settings, lifecycle, checks)
    writer = LogWriter(store)
    lifecycle.add("writer", start=writer.start, stop=writer.stop)
    service = LogService(store, writer, SystemClock())
    _add_doors(service, settings, lifecycle, checks)
    app = create_flask("logger", checks=checks, lifecycle=lifecycle)
    app.register_blueprint(logs_blueprint(service))
    return app


def _mongo_store(settings: LoggerSettings, lifecycle: Lifecycle, checks: dict[str, Check]) -> MongoLogStore:
    client = create_mongo(settings.mongo_url, app_name="logger")
    store = MongoLogStore(client)
    stopping = threading.Event()

    def prepare() -> None:
        while not stopping.is_set():
            try:
                store.prepare()
            except PyMongoError as error:
                log.warning("indexes_not_created", extra={"reason": type(error).__name__})
                stopping.wait(2.0)
            else:
                return

    thread = threading.Thread(target=prepare, name="indexes", daemon=True)
    lifecycle.add("mongo", stop=client.close)
    lifecycle.add("indexes", start=thread.start, stop=stopping.set)
    checks["mongo"] = Check(lambda: check_mongo(client))
    return store


def _add_doors(
    service: LogService, settings: LoggerSettings, lifecycle: Lifecycle, checks: Mapping[str, Check]
) -> None:
    """Both side doors bind after the fork; a port that another process holds is a loud failure, not a silent share."""
    methods = RpcMethods(service)
    tcp = TcpServer(
        settings.bind_host,
        settings.logger_rpc_port,
        lambda: SniffingSession(methods),
        limits=Limits(grace=settings.shutdown_grace),
        shared=settings.logger_workers > 1,
    )
    lifecycle.add(
        "rpc", start=patiently(tcp.start, expecting=OSError, seconds=settings.shutdown_grace + 2), stop=tcp.stop
    )
    grpc_door = _GrpcDoor(service, settings, usable=lambda: all(finding.up for finding in examine(checks).values()))
    lifecycle.add(
        "grpc",
        start=patiently(grpc_door.start, expecting=RuntimeError, seconds=settings.shutdown_grace + 2),
        stop=grpc_door.stop,
    )


class _GrpcDoor:
    """Building a gRPC server binds its port and starts threads, so it is built when it starts. Its health follows the store's."""

    def __init__(self, service: LogService, settings: LoggerSettings, *, usable: Callable[[], bool]) -> None:
        # a stream holds a thread for as long as its client likes: the other half is for calls that end
        self._servicer = LogServicer(service, streams=max(1, settings.logger_grpc_threads // 2))
        self._settings = settings
        self._usable = usable
        self._server: GrpcServer | None = None
        self._watch: HealthWatch | None = None

    def start(self) -> None:
        server = build_server(
            f"{self._settings.bind_host}:{self._settings.logger_grpc_port}",
            register=lambda server: logs_pb2_grpc.add_LogServiceServicer_to_server(self._servicer, server),
            services=[SERVICE_NAME],
            options=ServerOptions(
                threads=self._settings.logger_grpc_threads,
                grace=self._settings.shutdown_grace,
                shared=self._settings.logger_workers > 1,
            ),
        )
        server.start()
        self._server = server
        self._watch = HealthWatch(self._usable, lambda serving: server.set_serving(SERVICE_NAME, serving=serving))
        self._watch.start()

    def stop(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        if self._server is not None:
            self._server.stop()
