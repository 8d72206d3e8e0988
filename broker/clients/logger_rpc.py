"""The log store over JSON-RPC: RPCServer.LogInfo on the TCP port (seeds 001 and 004), the calls that come together in one write."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import orjson

from broker.domain import LogOrder, Receipt, Result, Via
from common.errors import AppError, BadReplyError, DeadlineError, Kind, TooManyError, UnavailableError
from common.rpc.calls import failure_kind
from common.rpc.jsonrpc import Reply
from common.rpc.jsonrpc_client import JsonRpcClient

log = logging.getLogger(__name__)

_FAILURES: dict[Kind, type[AppError]] = {
    Kind.TOO_MANY: TooManyError,
    Kind.UNAVAILABLE: UnavailableError,
    Kind.TIMEOUT: DeadlineError,
}


class LoggerRpcDoor:
    def __init__(self, rpc: JsonRpcClient) -> None:
        self._rpc = rpc

    def write_many(self, orders: Sequence[LogOrder]) -> list[Result]:
        return [
            reply if isinstance(reply, AppError) else self._result(reply)
            for reply in self._rpc.call_many("RPCServer.LogInfo", list(map(_params, orders)))
        ]

    def _result(self, reply: Reply) -> Result:
        if reply.error is not None:
            return self._failure(reply.error)
        if not isinstance(reply.result, str):
            return BadReplyError(f"{self._rpc.name} gave an answer of the wrong kind")
        return Receipt("stored", reply.result, Via.RPC)

    def _failure(self, text: str) -> AppError:
        """Our own logger names the kind; a Go server answers with its raw error text, which may name an address: for the log only."""
        kind = failure_kind(text)
        if kind in _FAILURES:
            return _FAILURES[kind](text.partition(": ")[2])
        log.warning("entry_refused", extra={"peer": self._rpc.name, "reason": text})
        return BadReplyError(f"{self._rpc.name} did not store the entry")


def _params(order: LogOrder) -> dict[str, object]:
    """Name and Data come first, as a Go client sends them; a Go server ignores the members after them."""
    params: dict[str, object] = {
        "Name": order.name,
        "Data": order.data,
        "ID": order.id,
        "Level": order.level,
        "Service": order.service,
        "Timestamp": order.timestamp,
        "RequestID": order.request_id,
        "Traceparent": order.traceparent,
    }
    if order.trace_id:
        params["TraceID"] = order.trace_id
    if order.span_id:
        params["SpanID"] = order.span_id
    if order.fields:
        params["Fields"] = orjson.dumps(order.fields).decode()
    if order.category:
        params["Category"] = order.category
    return params
