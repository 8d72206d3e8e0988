"""The log store's gRPC servicer with everything behind it in memory."""

from __future__ import annotations

import threading

from common.clock import Clock, SystemClock
from logger.grpc_questions import GrpcQuestions
from logger.grpc_servicer import LogServicer
from logger.grpc_tail import GrpcTail
from logger.memory.changes import MemoryChangeLog
from logger.memory.store import MemoryLogStore
from logger.ports import EntryWriter
from logger.search import LogSearch
from logger.service import LogService
from logger.tailing.feed import Feed
from logger.tailing.tail import Tail


def servicer_for(
    store: MemoryLogStore, writer: EntryWriter, *, streams: int, questions: int = 2, clock: Clock | None = None
) -> LogServicer:
    clock, changes = clock or SystemClock(), MemoryChangeLog(store)
    return LogServicer(
        LogService(store, writer, clock),
        GrpcQuestions(LogSearch(store, store), clock, threads=questions),
        GrpcTail(Tail(changes, Feed(changes), clock, streams=streams), clock, stopping=threading.Event()),
        streams=streams,
    )
