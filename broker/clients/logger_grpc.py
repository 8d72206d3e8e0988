"""The log store over gRPC: logs.LogService/WriteLog."""

from __future__ import annotations

from broker.domain import LogOrder
from common import context
from common.rpc.grpc_client import GrpcClient
from protos import logs_pb2, logs_pb2_grpc


class LoggerGrpcDoor:
    def __init__(self, grpc: GrpcClient) -> None:
        self._grpc = grpc
        self._stub = logs_pb2_grpc.LogServiceStub(grpc.channel)

    def write(self, order: LogOrder) -> str:
        bound = context.current()
        entry = logs_pb2.Log(
            name=order.name,
            data=order.data,
            id=order.id,
            level=order.level,
            service=order.service,
            timestamp=order.timestamp,
            request_id=bound.request_id if bound else "",
            trace_id=bound.trace_id if bound else "",
        )
        self._grpc.call(self._stub.WriteLog, logs_pb2.LogRequest(logEntry=entry))
        return "logged"
