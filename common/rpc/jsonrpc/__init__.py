"""JSON-RPC over TCP as Go's net/rpc/jsonrpc speaks it (1.0), and 2.0 for callers that ask for it; bytes in, bytes out."""

from __future__ import annotations

from common.rpc.jsonrpc.client import Reply, ReplyDecoder, encode_call
from common.rpc.jsonrpc.framing import FramingError
from common.rpc.jsonrpc.params import field, struct_fields, struct_list
from common.rpc.jsonrpc.replies import reply_batch, reply_error, reply_ok
from common.rpc.jsonrpc.requests import Batch, Request, RequestDecoder

__all__ = [
    "Batch",
    "FramingError",
    "Reply",
    "ReplyDecoder",
    "Request",
    "RequestDecoder",
    "encode_call",
    "field",
    "reply_batch",
    "reply_error",
    "reply_ok",
    "struct_fields",
    "struct_list",
]
