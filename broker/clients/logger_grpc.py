"""The log store over gRPC: logs.LogService/WriteLogs for all that comes together, WriteLog where the far side knows no other."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from broker.clients.chunks import Missing, in_chunks, one_by_one
from broker.domain import LogOrder, Receipt, Result, Via
from common.errors import BadReplyError, InvalidError, UnsupportedError
from common.rpc.grpc_client import MAX_MESSAGE, GrpcClient
from protos import logs_pb2, logs_pb2_grpc
from protos.limits import MAX_ENTRIES

# Room for the frame of the message itself.
_MAX_BYTES = MAX_MESSAGE - 64 * 1024
_STORED = Receipt("stored", "logged", Via.GRPC)
_DUPLICATE = Receipt("duplicate", "logged", Via.GRPC)


class LoggerGrpcDoor:
    def __init__(self, grpc: GrpcClient) -> None:
        self._grpc = grpc
        self._stub = logs_pb2_grpc.LogServiceStub(grpc.channel)
        self._no_bulk = Missing()

    def write_many(self, orders: Sequence[LogOrder]) -> list[Result]:
        entries = list(map(_entry, orders))
        sizes = [entry.ByteSize() + 8 for entry in entries]
        return in_chunks(lambda part: self._write(entries[part]), sizes, max_items=MAX_ENTRIES, max_bytes=_MAX_BYTES)

    def _write(self, entries: list[logs_pb2.Log]) -> list[Result]:
        if not self._no_bulk:
            try:
                return self._write_together(entries)
            except UnsupportedError:
                self._no_bulk.note()
        return one_by_one(self._write_one, entries)

    def _write_together(self, entries: list[logs_pb2.Log]) -> list[Result]:
        reply = self._grpc.call(self._stub.WriteLogs, logs_pb2.WriteLogsRequest(entries=entries))
        if len(reply.results) != len(entries):
            raise BadReplyError(f"{self._grpc.name} did not answer for every entry")
        return list(map(_result, reply.results))

    def _write_one(self, entry: logs_pb2.Log) -> Receipt:
        self._grpc.call(self._stub.WriteLog, logs_pb2.LogRequest(logEntry=entry))
        return _STORED


def _entry(order: LogOrder) -> logs_pb2.Log:
    return logs_pb2.Log(
        name=order.name,
        data=order.data,
        id=order.id,
        level=order.level,
        service=order.service,
        timestamp=order.timestamp,
        request_id=order.request_id,
        trace_id=order.trace_id,
        span_id=order.span_id,
        fields_json=orjson.dumps(order.fields).decode() if order.fields else "",
        category=order.category,
    )


def _result(result: logs_pb2.WriteResult) -> Result:
    if result.outcome == logs_pb2.WriteResult.REFUSED:
        return InvalidError(result.reason or "the log store refused the entry")
    return _DUPLICATE if result.outcome == logs_pb2.WriteResult.DUPLICATE else _STORED
