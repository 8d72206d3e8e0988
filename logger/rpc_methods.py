"""The methods of the TCP port, whatever codec carries them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common import context
from common.errors import BUG_MESSAGE, AppError, InvalidError
from common.rpc.calls import CallError, Code, GoStruct
from logger.domain import Draft, Recorded
from logger.service import LogService

log = logging.getLogger("request")

PAYLOAD = GoStruct(
    "main.RPCPayload",
    ("Name", "Data"),
    # what our own callers add: a Go server ignores it, a Go client sends none of it
    extras=("ID", "Level", "Service", "Timestamp", "RequestID", "Traceparent"),
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
        started = time.perf_counter()
        drafts = [_draft(call.arguments) for call in calls]
        answers = self._answers(calls, drafts)
        if drafts:
            duration = round((time.perf_counter() - started) * 1000, 2)
            refused = sum(isinstance(answer, CallError) for answer in answers)
            # pipelined calls share a line: at full speed a line for each would cost more than the call
            extra = {"method": LOG_INFO, "calls": len(calls), "refused": refused, "duration_ms": duration}
            log.info("call_served", extra={**extra, "request_id": drafts[0].request_id, "trace_id": drafts[0].trace_id})
        return answers

    def _answers(self, calls: Sequence[RpcCall], drafts: Sequence[Draft]) -> list[str | CallError]:
        try:
            results = self._service.record_many(drafts, door="rpc")
        except AppError as error:
            return [CallError(error.message)] * len(calls)
        except Exception:
            log.exception("call_failed", extra={"method": LOG_INFO})
            return [CallError(BUG_MESSAGE, code=Code.INTERNAL_ERROR)] * len(calls)
        return [_answer(call, result) for call, result in zip(calls, results, strict=True)]


def _draft(arguments: Mapping[str, str]) -> Draft:
    request = context.continue_context(arguments["RequestID"], arguments["Traceparent"])
    return Draft(
        name=arguments["Name"],
        data=arguments["Data"],
        id=arguments["ID"],
        level=arguments["Level"],
        service=arguments["Service"],
        timestamp=arguments["Timestamp"],
        request_id=request.request_id,
        trace_id=request.trace_id,
    )


def _answer(call: RpcCall, result: Recorded | InvalidError) -> str | CallError:
    if isinstance(result, InvalidError):
        return CallError(result.message, code=Code.INVALID_PARAMS)
    return f"Processed payload via RPC:{call.arguments['Name']}"
