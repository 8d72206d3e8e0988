"""The methods of the TCP port, whatever codec carries them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from common import context
from common.errors import BUG_MESSAGE, AppError, InvalidError
from common.outcomes import Outcome
from common.rpc.calls import CallError, Code, GoStruct, failure_text
from logger.domain import Draft
from logger.service import LogService
from protos.limits import MAX_ENTRIES

log = logging.getLogger("request")

PAYLOAD = GoStruct(
    "main.RPCPayload",
    ("Name", "Data"),
    # what our own callers add: a Go server ignores it, a Go client sends none of it; Fields is JSON text
    extras=(
        "ID",
        "Level",
        "Service",
        "Timestamp",
        "RequestID",
        "Traceparent",
        "TraceID",
        "SpanID",
        "Fields",
        "Category",
    ),
)
# What LogBatch answers for each entry, as a Go program declares it.
RESULT = GoStruct("main.BatchResult", ("ID", "Outcome", "Reason"))
LOG_INFO = "RPCServer.LogInfo"
LOG_BATCH = "RPCServer.LogBatch"
METHODS = (LOG_INFO, LOG_BATCH)

Arguments = Mapping[str, str]
Answer = str | list[dict[str, str]] | CallError


@dataclass(frozen=True, slots=True)
class RpcCall:
    """`payloads`: the one of LogInfo, or those of LogBatch, where a CallError stands for what is no payload."""

    method: str
    payloads: Sequence[Arguments | CallError]

    def __post_init__(self) -> None:
        if len(self.payloads) > MAX_ENTRIES:
            raise CallError(f"a call may carry {MAX_ENTRIES} entries at most", code=Code.INVALID_PARAMS)


class RpcMethods:
    def __init__(self, service: LogService) -> None:
        self._service = service

    def call_many(self, calls: Sequence[RpcCall]) -> list[Answer]:
        """One answer for each call, in order. Calls that arrived together are stored together."""
        if not calls:
            return []
        started = time.perf_counter()
        drafts = [draft for call in calls for draft in _drafts(call)]
        answers = self._answers(calls, drafts)
        duration = round((time.perf_counter() - started) * 1000, 2)
        refused = sum(isinstance(answer, CallError) for answer in answers)
        # pipelined calls share a line: at full speed a line for each would cost more than the call
        extra = {"method": calls[0].method, "calls": len(calls), "refused": refused, "duration_ms": duration}
        log.info("call_served", extra=extra | _identity(drafts))
        return answers

    def _answers(self, calls: Sequence[RpcCall], drafts: Sequence[Draft | InvalidError]) -> list[Answer]:
        try:
            results = iter(self._service.record_many(drafts, door="rpc"))
        except AppError as error:
            return [CallError(failure_text(error))] * len(calls)
        except Exception:
            log.exception("call_failed", extra={"method": calls[0].method})
            return [CallError(BUG_MESSAGE, code=Code.INTERNAL_ERROR)] * len(calls)
        return [_answer(call, [next(results) for _ in call.payloads]) for call in calls]


def _identity(drafts: Sequence[Draft | InvalidError]) -> dict[str, str]:
    first = drafts[0] if drafts else None
    return {"request_id": first.request_id, "trace_id": first.trace_id} if isinstance(first, Draft) else {}


def _drafts(call: RpcCall) -> Iterator[Draft | InvalidError]:
    """Entries of one call that name no request of their own share one."""
    shared = context.continue_context(None, None) if call.method == LOG_BATCH else None
    for payload in call.payloads:
        yield InvalidError(payload.text) if isinstance(payload, CallError) else _draft(payload, shared)


def _draft(arguments: Arguments, shared: context.RequestContext | None) -> Draft:
    request_id, traceparent = arguments["RequestID"], arguments["Traceparent"]
    request = shared
    if request is None or request_id or traceparent:
        request = context.continue_context(request_id, traceparent)
    return Draft(
        arguments["Name"],
        arguments["Data"],
        arguments["ID"],
        arguments["Level"],
        arguments["Service"],
        "",
        request.request_id,
        arguments["TraceID"] or request.trace_id,
        arguments["Timestamp"],
        arguments["SpanID"],
        None,
        arguments["Fields"],
        arguments["Category"],
    )


def _answer(call: RpcCall, results: Sequence[Outcome | InvalidError]) -> Answer:
    if call.method == LOG_BATCH:
        return list(map(_row, results))
    (result,), (arguments,) = results, call.payloads
    if isinstance(result, InvalidError):
        return CallError(result.message, code=Code.INVALID_PARAMS)
    assert not isinstance(arguments, CallError)  # noqa: S101 - a result that is no error had a payload
    return f"Processed payload via RPC:{arguments['Name']}"


def _row(result: Outcome | InvalidError) -> dict[str, str]:
    if isinstance(result, InvalidError):
        return {"ID": "", "Outcome": "refused", "Reason": result.message}
    return {"ID": result.id, "Outcome": result.outcome, "Reason": ""}
