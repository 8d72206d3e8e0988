"""The composition root of the log store: one use case behind an HTTP, a gRPC and a TCP door."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from flask import Flask
from pymongo.errors import PyMongoError

from common.clock import Clock, SystemClock
from common.lifecycle import Lifecycle, patiently
from common.mongo import check_mongo, create_mongo
from common.rpc.grpc_server import GrpcServer, ServerOptions, build_server
from common.rpc.grpc_watch import HealthWatch
from common.rpc.tcp_server import Limits, TcpServer
from common.web.app import create_flask
from common.web.health import Check, examine
from logger.audit import HeadSource
from logger.grpc_questions import GrpcQuestions
from logger.grpc_servicer import SERVICE_NAME, LogServicer
from logger.grpc_tail import GrpcTail
from logger.keeping.retention import RulesStore
from logger.memory.changes import MemoryChangeLog
from logger.memory.heads import MemoryHeads
from logger.memory.rules import MemoryRules
from logger.memory.store import MemoryLogStore
from logger.mongo.audit_trail import MongoAuditTrail
from logger.mongo.blocks import BlockIndex
from logger.mongo.changes import MongoChangeLog
from logger.mongo.counts import MongoCounts
from logger.mongo.reader import MongoLogReader
from logger.mongo.retention import MongoRules
from logger.mongo.store import MongoLogStore
from logger.ports import LogCounter, LogReader, LogStore
from logger.routes.audit import audit_blueprint
from logger.routes.counting import counting_blueprint
from logger.routes.reading import reading_blueprint
from logger.routes.retention import retention_blueprint
from logger.routes.tail import tail_blueprint
from logger.routes.transfer import transfer_blueprint
from logger.routes.writing import writing_blueprint
from logger.rpc_methods import RpcMethods
from logger.rpc_sessions import SniffingSession
from logger.search import LogSearch
from logger.service import LogService
from logger.settings import LoggerSettings
from logger.tailing.changes import ChangeLog
from logger.tailing.feed import Feed
from logger.tailing.tail import Tail
from logger.writer import LogWriter
from protos import logs_pb2_grpc

log = logging.getLogger(__name__)


class _Base(NamedTuple):
    """What the entries lie in."""

    store: LogStore
    reader: LogReader
    counter: LogCounter
    changes: ChangeLog
    rules: RulesStore
    heads: HeadSource


class _UseCases(NamedTuple):
    service: LogService
    search: LogSearch
    tail: Tail
    clock: Clock


def create_app(settings: LoggerSettings, *, store: MemoryLogStore | None = None) -> Flask:
    """Nothing listens or writes before the lifecycle starts. `store` replaces MongoDB in tests."""
    lifecycle = Lifecycle()
    checks: dict[str, Check] = {}
    base = _mongo_base(settings, lifecycle, checks) if store is None else _memory_base(store)
    writer = LogWriter(base.store)
    lifecycle.add("writer", start=writer.start, stop=writer.stop)
    clock = SystemClock()
    feed = Feed(base.changes)
    lifecycle.add("feed", stop=feed.stop)
    cases = _UseCases(
        LogService(base.store, writer, clock),
        LogSearch(base.reader, base.counter),
        Tail(base.changes, feed, clock, streams=settings.logger_streams),
        clock,
    )
    _add_doors(cases, settings, lifecycle, checks)
    app = create_flask("logger", checks=checks, lifecycle=lifecycle)
    app.register_blueprint(writing_blueprint(cases.service))
    app.register_blueprint(reading_blueprint(cases.service, cases.search, clock))
    app.register_blueprint(counting_blueprint(cases.search, clock))
    app.register_blueprint(tail_blueprint(cases.tail, clock))
    app.register_blueprint(transfer_blueprint(base.reader, clock))
    app.register_blueprint(retention_blueprint(base.rules))
    app.register_blueprint(audit_blueprint(base.heads))
    return app


def _mongo_base(settings: LoggerSettings, lifecycle: Lifecycle, checks: dict[str, Check]) -> _Base:
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
    words = BlockIndex(client.get_default_database(default="logs"))
    counts = MongoCounts(client, candidates=words)
    reader = MongoLogReader(client, candidates=words)
    heads = MongoAuditTrail(client.get_default_database(default="logs"))
    return _Base(store, reader, counts, MongoChangeLog(client), MongoRules(client), heads)


def _memory_base(store: MemoryLogStore) -> _Base:
    return _Base(store, store, store, MemoryChangeLog(store), MemoryRules(), MemoryHeads())


def _add_doors(cases: _UseCases, settings: LoggerSettings, lifecycle: Lifecycle, checks: Mapping[str, Check]) -> None:
    """Both side doors bind after the fork; a port that another process holds is a loud failure, not a silent share."""
    methods = RpcMethods(cases.service)
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
    grpc_door = _GrpcDoor(
        cases,
        settings,
        usable=lambda: all(finding.up for finding in examine(checks).values()),
        stopping=lifecycle.stopping,
    )
    lifecycle.add(
        "grpc",
        start=patiently(grpc_door.start, expecting=RuntimeError, seconds=settings.shutdown_grace + 2),
        stop=grpc_door.stop,
    )


class _GrpcDoor:
    """Building a gRPC server binds its port and starts threads, so it is built when it starts. Its health follows the store's."""

    def __init__(
        self, cases: _UseCases, settings: LoggerSettings, *, usable: Callable[[], bool], stopping: threading.Event
    ) -> None:
        # a stream holds a thread for as long as its client likes, and a question for seconds: half, and a quarter, are for calls that end soon
        threads = settings.logger_grpc_threads
        questions = GrpcQuestions(cases.search, cases.clock, threads=max(1, threads // 4))
        tail = GrpcTail(cases.tail, cases.clock, stopping=stopping)
        self._servicer = LogServicer(cases.service, questions, tail, streams=max(1, threads // 2))
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
