"""Gob, the default codec of Go's net/rpc: enough of it to serve and to make calls with structs of strings and slices of them, and to
step over everything else a Go program may send along; bytes in, bytes out.
"""

from __future__ import annotations

from common.rpc.gob.client import CallEncoder, GobReply, ReplyDecoder
from common.rpc.gob.server import CallDecoder, GobCall, ReplyEncoder, struct_fields, struct_list
from common.rpc.gob.wire import GobError

__all__ = [
    "CallDecoder",
    "CallEncoder",
    "GobCall",
    "GobError",
    "GobReply",
    "ReplyDecoder",
    "ReplyEncoder",
    "struct_fields",
    "struct_list",
]
