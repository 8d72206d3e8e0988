"""The gRPC door of the log store: logs.LogService."""

from __future__ import annotations

import grpc

from common.errors import InvalidError
from logger.domain import Draft, Recorded
from logger.service import LogService
from protos import logs_pb2, logs_pb2_grpc
from protos.limits import MAX_ENTRIES

SERVICE_NAME = logs_pb2.DESCRIPTOR.services_by_name["LogService"].full_name


class LogServicer(logs_pb2_grpc.LogServiceServicer):
    def __init__(self, service: LogService) -> None:
        self._service = service

    def WriteLog(self, request: logs_pb2.LogRequest, context: grpc.ServicerContext) -> logs_pb2.LogResponse:
        recorded = self._service.record(_draft(request.logEntry), door="grpc")
        return logs_pb2.LogResponse(result="logged!", id=recorded.id)

    def WriteLogs(
        self, request: logs_pb2.WriteLogsRequest, context: grpc.ServicerContext
    ) -> logs_pb2.WriteLogsResponse:
        if len(request.entries) > MAX_ENTRIES:
            raise InvalidError(f"a call may carry {MAX_ENTRIES} entries at most")
        results = self._service.record_many([_draft(entry) for entry in request.entries], door="grpc")
        return logs_pb2.WriteLogsResponse(results=[_result(result) for result in results])


def _draft(entry: logs_pb2.Log) -> Draft:
    return Draft(
        name=entry.name,
        data=entry.data,
        id=entry.id,
        level=entry.level,
        service=entry.service,
        protocol=entry.protocol,
        request_id=entry.request_id,
        trace_id=entry.trace_id,
        timestamp=entry.timestamp,
    )


def _result(result: Recorded | InvalidError) -> logs_pb2.WriteResult:
    if isinstance(result, InvalidError):
        return logs_pb2.WriteResult(outcome=logs_pb2.WriteResult.REFUSED, reason=result.message)
    outcome = logs_pb2.WriteResult.DUPLICATE if result.duplicate else logs_pb2.WriteResult.STORED
    return logs_pb2.WriteResult(outcome=outcome, id=result.id)
