"""Writers over gRPC: one entry, many in a call, and a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import grpc

from protos import logs_pb2, logs_pb2_grpc
from tests.faults.doors import SECONDS, Door, FailedCallError, Refused, Told
from tests.faults.ledger import Entry

OPTIONS = [("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 1000)]
HONEST_REFUSALS = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)

Write = Callable[[logs_pb2_grpc.LogServiceStub, Sequence[Entry]], Told]


class GrpcSender:
    def __init__(self, address: str, write: Write) -> None:
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._stub = logs_pb2_grpc.LogServiceStub(self._channel)
        self._write = write

    def send(self, entries: Sequence[Entry]) -> Told:
        try:
            return self._write(self._stub, entries)
        except grpc.RpcError as error:
            code = error.code()
            if code in HONEST_REFUSALS:
                raise FailedCallError(f"gRPC {code.name}") from error
            raise FailedCallError(f"gRPC {code.name} {error.details()}", unexpected=True) from error

    def close(self) -> None:
        self._channel.close()


def _log(entry: Entry) -> logs_pb2.Log:
    return logs_pb2.Log(name=entry.name, data=entry.data, id=entry.id)


def _one(stub: logs_pb2_grpc.LogServiceStub, entries: Sequence[Entry]) -> Told:
    stub.WriteLog(logs_pb2.LogRequest(logEntry=_log(entries[0])), timeout=SECONDS)
    return ["mongodb"]


def _many(stub: logs_pb2_grpc.LogServiceStub, entries: Sequence[Entry]) -> Told:
    request = logs_pb2.WriteLogsRequest(entries=[_log(entry) for entry in entries])
    results = stub.WriteLogs(request, timeout=SECONDS).results
    if len(results) != len(entries):
        raise FailedCallError(f"gRPC {len(results)} results for {len(entries)} entries", unexpected=True)
    refused = logs_pb2.WriteResult.REFUSED
    return [Refused(f"refused: {each.reason}") if each.outcome == refused else "mongodb" for each in results]


def _stream(stub: logs_pb2_grpc.LogServiceStub, entries: Sequence[Entry]) -> Told:
    summary = stub.WriteLogStream(iter([_log(entry) for entry in entries]), timeout=SECONDS)
    if summary.stored + summary.duplicate != len(entries):
        raise FailedCallError(f"gRPC summary {summary.stored}+{summary.duplicate} of {len(entries)}", unexpected=True)
    return ["mongodb"] * len(entries)


def _door(name: str, write: Write, *, batch: int, pause: float) -> Door:
    def opened(env: Mapping[str, str]) -> GrpcSender:
        return GrpcSender(env["LOGGER_GRPC_ADDRESS"], write)

    return Door(name, opened, batch=batch, pause=pause)


DOORS = (
    _door("grpc WriteLog", _one, batch=1, pause=0.1),
    _door("grpc WriteLogs", _many, batch=20, pause=0.5),
    _door("grpc WriteLogStream", _stream, batch=40, pause=1.0),
)
