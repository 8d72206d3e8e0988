"""The gRPC door of the log store: logs.LogService."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.struct_pb2 import Struct, Value

from common.errors import InvalidError, TooManyError
from common.outcomes import Outcome
from common.rpc.grpc_intake import Intake
from logger.domain import Draft
from logger.grpc_questions import GrpcQuestions
from logger.grpc_tail import GrpcTail
from logger.service import LogService
from protos import logs_pb2, logs_pb2_grpc
from protos.limits import MAX_BULK_BODY, MAX_ENTRIES
from protos.rules import integers_again

SERVICE_NAME = logs_pb2.DESCRIPTOR.services_by_name["LogService"].full_name
MAX_REFUSALS = 100
# An entry of a stream that goes on slowly is stored after this time at the latest.
STREAM_SECONDS = 0.2


class LogServicer(logs_pb2_grpc.LogServiceServicer):
    """`streams`: how many may run at the same time; each holds one of the door's threads for as long as its client likes."""

    def __init__(self, service: LogService, questions: GrpcQuestions, tail: GrpcTail, *, streams: int) -> None:
        self._service = service
        self._questions = questions
        self._tail = tail
        self._streams = threading.BoundedSemaphore(streams)

    def WriteLog(self, request: logs_pb2.LogRequest, context: grpc.ServicerContext) -> logs_pb2.LogResponse:
        recorded = self._service.record(_draft(request.logEntry), door="grpc")
        return logs_pb2.LogResponse(result="logged!", id=recorded.id)

    def WriteLogs(
        self, request: logs_pb2.WriteLogsRequest, context: grpc.ServicerContext
    ) -> logs_pb2.WriteLogsResponse:
        if len(request.entries) > MAX_ENTRIES:
            raise InvalidError(f"a call may carry {MAX_ENTRIES} entries at most")
        results = self._service.record_many(list(map(_draft, request.entries)), door="grpc")
        return logs_pb2.WriteLogsResponse(results=map(_result, results))

    def WriteLogStream(self, requests: Iterator[logs_pb2.Log], context: grpc.ServicerContext) -> logs_pb2.WriteSummary:
        if not self._streams.acquire(blocking=False):
            raise TooManyError("too many streams are open now")
        try:
            return self._store_stream(requests)
        finally:
            self._streams.release()

    def Query(self, request: logs_pb2.QueryRequest, context: grpc.ServicerContext) -> logs_pb2.QueryResponse:
        return self._questions.query(request, context)

    def Count(self, request: logs_pb2.CountRequest, context: grpc.ServicerContext) -> logs_pb2.CountResponse:
        return self._questions.count(request)

    def Tail(self, request: logs_pb2.TailRequest, context: grpc.ServicerContext) -> Iterator[logs_pb2.TailEvent]:
        if not self._streams.acquire(blocking=False):
            raise TooManyError("too many streams are open now")
        try:
            yield from self._tail.events(request, context)
        finally:
            self._streams.release()

    def _store_stream(self, requests: Iterator[logs_pb2.Log]) -> logs_pb2.WriteSummary:
        summary, first = logs_pb2.WriteSummary(), 0
        with Intake(requests, max_items=MAX_ENTRIES, max_bytes=MAX_BULK_BODY, seconds=STREAM_SECONDS) as batches:
            for batch in batches:
                results = self._service.record_many(list(map(_draft, batch)), door="grpc")
                _add(summary, results, first)
                first += len(batch)
        return summary


def _add(summary: logs_pb2.WriteSummary, results: list[Outcome | InvalidError], first: int) -> None:
    for index, result in enumerate(results, first):
        if isinstance(result, Outcome):
            if result.outcome == "duplicate":
                summary.duplicate += 1
            else:
                summary.stored += 1
            continue
        summary.refused += 1
        if len(summary.refusals) < MAX_REFUSALS:
            summary.refusals.add(index=index, reason=result.message)


def _draft(entry: logs_pb2.Log) -> Draft:
    return Draft(
        entry.name,
        entry.data,
        entry.id,
        entry.level,
        entry.service,
        entry.protocol,
        entry.request_id,
        entry.trace_id,
        entry.timestamp,
        entry.span_id,
        _object(entry.fields) if entry.HasField("fields") else None,
        entry.fields_json,
        entry.category,
    )


def _object(struct: Struct) -> dict[str, Any]:
    return {key: _json(value) for key, value in struct.fields.items()}


def _json(value: Value) -> object:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _object(value.struct_value)
    if kind == "list_value":
        return [_json(member) for member in value.list_value.values]
    if kind == "number_value":
        return integers_again(value.number_value)
    return None if kind in ("null_value", None) else getattr(value, kind)


def _result(result: Outcome | InvalidError) -> logs_pb2.WriteResult:
    if isinstance(result, InvalidError):
        return logs_pb2.WriteResult(outcome=logs_pb2.WriteResult.REFUSED, reason=result.message)
    duplicate = result.outcome == "duplicate"
    return logs_pb2.WriteResult(
        outcome=logs_pb2.WriteResult.DUPLICATE if duplicate else logs_pb2.WriteResult.STORED, id=result.id
    )
