"""The methods of the TCP port, whatever codec carries them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common import context
from common.errors import BUG_MESSAGE, AppError, InvalidError
from common.rpc.calls import CallError, Code, GoStruct
from logger.domain import Draft, Recorded
from logger.service import LogService

log = logging.getLogger("request")

# Name and Data are the Go original's; a Go server ignores the others, a Go client sends none of them.
PAYLOAD = GoStruct(
    "main.RPCPayload", ("Name", "Data", "ID", "Level", "Service", "Timestamp", "RequestID", "Traceparent")
)
LOG_INFO = "RPCServer.LogInfo"
METHODS = (LOG_INFO,)


@dataclass(frozen=True, slots=True)
class RpcCall:
    method: str
    arguments: Mapping[str, str]


class RpcMethods:
    def __init__(self, service: LogService) -> None:
        self._service = service

    def call_many(self, calls: Sequence[RpcCall]) -> list[str | CallError]:
        """One answer for each call, in order. Calls that arrived together are stored together."""
        try:
            results = self._service.record_many([_draft(call.arguments) for call in calls], door="rpc")
        except AppError as error:
            return [CallError(error.message)] * len(calls)
        except Exception:
            log.exception("call_failed", extra={"method": LOG_INFO})
            return [CallError(BUG_MESSAGE, code=Code.INTERNAL_ERROR)] * len(calls)
        return [_answer(call, result) for call, result in zip(calls, results, strict=True)]


def _draft(arguments: Mapping[str, str]) -> Draft:
    request = context.continue_context(arguments.get("RequestID"), arguments.get("Traceparent"))
    return Draft(
        name=arguments["Name"],
        data=arguments["Data"],
        id=arguments.get("ID", ""),
        level=arguments.get("Level", ""),
        service=arguments.get("Service", ""),
        timestamp=arguments.get("Timestamp", ""),
        request_id=request.request_id,
        trace_id=request.trace_id,
    )


def _answer(call: RpcCall, result: Recorded | InvalidError) -> str | CallError:
    if isinstance(result, InvalidError):
        return CallError(result.message, code=Code.INVALID_PARAMS)
    return f"Processed payload via RPC:{call.arguments['Name']}"
