"""The log store over JSON-RPC: RPCServer.LogInfo on the TCP port (seeds 001 and 004)."""

from __future__ import annotations

import logging

from broker.domain import LogOrder
from common import context
from common.errors import BadReplyError, UnavailableError
from common.rpc.jsonrpc_client import JsonRpcClient

log = logging.getLogger(__name__)


class LoggerRpcDoor:
    def __init__(self, rpc: JsonRpcClient) -> None:
        self._rpc = rpc

    def write(self, order: LogOrder) -> str:
        """Name and Data come first, as a Go client sends them; a Go server ignores the members after them."""
        params = {
            "Name": order.name,
            "Data": order.data,
            "ID": order.id,
            "Level": order.level,
            "Service": order.service,
            "Timestamp": order.timestamp,
        }
        if (bound := context.current()) is not None:
            params |= {"RequestID": bound.request_id, "Traceparent": bound.traceparent}
        reply = self._rpc.call("RPCServer.LogInfo", params)
        if reply.error is not None:
            # a Go server answers with its raw error text, which may name an address: that is for the log only
            log.warning("entry_refused", extra={"peer": self._rpc.name, "reason": reply.error})
            raise UnavailableError(f"{self._rpc.name} did not store the entry")
        if not isinstance(reply.result, str):
            raise BadReplyError(f"{self._rpc.name} gave an answer of the wrong kind")
        return reply.result
