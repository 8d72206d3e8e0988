"""The log store as the listener uses it: one gRPC call for each batch."""

from __future__ import annotations

from collections.abc import Sequence

from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.errors import BadReplyError, UnavailableError
from common.rpc.grpc_client import GrpcClient
from protos import logs_pb2, logs_pb2_grpc
from worker.domain import Entry

SERVICE_NAME = logs_pb2.DESCRIPTOR.services_by_name["LogService"].full_name
CHECK_SECONDS = 1.5


class GrpcLogStore:
    """Until `start` there is no channel: it owns threads, which do not survive a fork."""

    def __init__(self, address: str, *, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._client: GrpcClient | None = None

    def start(self) -> None:
        self._client = GrpcClient("log store", self._address, timeout=self._timeout)

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()

    def write(self, entries: Sequence[Entry]) -> list[str]:
        client = self._started()
        request = logs_pb2.WriteLogsRequest(entries=[_message(entry) for entry in entries])
        reply: logs_pb2.WriteLogsResponse = client.call(logs_pb2_grpc.LogServiceStub(client.channel).WriteLogs, request)
        if len(reply.results) != len(entries):
            raise BadReplyError("the log store did not answer for every entry")
        return [_refusal(result) for result in reply.results]

    def check(self) -> None:
        """For readiness: raises AppError unless the log store says that it serves."""
        client = self._started()
        request = health_pb2.HealthCheckRequest(service=SERVICE_NAME)
        reply = client.call(health_pb2_grpc.HealthStub(client.channel).Check, request, timeout=CHECK_SECONDS)
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            raise UnavailableError("the log store is not serving")

    def _started(self) -> GrpcClient:
        if self._client is None:
            raise UnavailableError("the log store is not in use yet")
        return self._client


def _message(entry: Entry) -> logs_pb2.Log:
    return logs_pb2.Log(
        id=entry.id,
        name=entry.name,
        data=entry.data,
        level=entry.level,
        service=entry.service,
        protocol="amqp",
        request_id=entry.request_id,
        trace_id=entry.trace_id,
        span_id=entry.span_id,
        timestamp=entry.timestamp,
        fields_json=entry.fields,
        category=entry.category,
    )


def _refusal(result: logs_pb2.WriteResult) -> str:
    if result.outcome != logs_pb2.WriteResult.REFUSED:
        return ""
    return result.reason or "refused by the log store"
