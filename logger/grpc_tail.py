"""The live tail over gRPC: signals to messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import grpc

from common.clock import Clock
from common.web.sse import KEEP_ALIVE_SECONDS
from logger.answers import moment_text
from logger.grpc_questions import entry_message, filter_values
from logger.tailing.places import Live, sealed
from logger.tailing.request import read_tail
from logger.tailing.tail import Entries, Idle, Missed, Signal, Tail
from protos import logs_pb2


class GrpcTail:
    def __init__(self, tail: Tail, clock: Clock, *, stopping: threading.Event) -> None:
        """`stopping`: set when the process is to stop, which no reader would do by itself."""
        self._tail = tail
        self._clock = clock
        self._stopping = stopping

    def events(self, request: logs_pb2.TailRequest, call: grpc.ServicerContext) -> Iterator[logs_pb2.TailEvent]:
        values = filter_values(request.filter)
        if request.HasField("history"):
            values["history"] = str(request.history)
        asked = read_tail(values, self._clock.now())
        told = time.monotonic()
        with closing(self._tail.open(asked.wanted, history=asked.history, last_id=request.last_event_id)) as reading:
            for signal in reading:
                if self._stopping.is_set() or not call.is_active():
                    return
                now = time.monotonic()
                if isinstance(signal, Idle) and now - told < KEEP_ALIVE_SECONDS:
                    continue
                told = now
                yield from _events(signal)


def _events(signal: Signal) -> Iterator[logs_pb2.TailEvent]:
    if isinstance(signal, Entries):
        for change in signal.changes:
            yield logs_pb2.TailEvent(id=sealed(change.place), entry=entry_message(change.entry))
    elif isinstance(signal, Missed):
        missed = logs_pb2.TailMissed(
            count=signal.number, since=moment_text(signal.since), until=moment_text(signal.until)
        )
        yield logs_pb2.TailEvent(id=_id(signal.place), missed=missed)
    elif isinstance(signal, Idle):
        yield logs_pb2.TailEvent(id=_id(signal.place))
    else:
        yield logs_pb2.TailEvent(id=_id(signal.place), live=logs_pb2.TailLive(complete=signal.complete))


def _id(place: Live | None) -> str:
    return sealed(place) if place is not None else ""
