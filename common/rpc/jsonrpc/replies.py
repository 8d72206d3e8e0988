"""The server's voice: answers in the form of the version the caller speaks, 1.0 exactly as Go writes it.

A Go client shuts its connection down on an error object or on a null result without error; neither is possible here.
"""

from __future__ import annotations

from collections.abc import Iterable

from common.rpc.calls import Code
from common.rpc.jsonrpc.encoding import encode
from common.rpc.jsonrpc.requests import Request

_UNSPECIFIED = "unspecified error"
_MEANINGS = {
    Code.PARSE_ERROR: "Parse error",
    Code.INVALID_REQUEST: "Invalid Request",
    Code.METHOD_NOT_FOUND: "Method not found",
    Code.INVALID_PARAMS: "Invalid params",
    Code.INTERNAL_ERROR: "Internal error",
}


def reply_ok(request: Request, result: object) -> bytes:
    """One line; nothing for a notification. `result` is anything JSON but null."""
    if request.is_notification:
        return b""
    if request.version == "2.0":
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (request.id or b"null", encode(result))
    return b'{"id":%b,"result":%b,"error":null}\n' % (request.id or b"null", encode(result))


def reply_error(request: Request, text: str, *, code: Code = Code.SERVER_ERROR) -> bytes:
    """One line; nothing for a notification. Version 1.0 has no room for the code."""
    if request.is_notification:
        return b""
    text = text or _UNSPECIFIED
    if request.version == "1.0":
        return b'{"id":%b,"result":null,"error":%b}\n' % (request.id or b"null", encode(text))
    error: dict[str, object] = {"code": int(code), "message": text}
    if code in _MEANINGS:
        error = {"code": int(code), "message": _MEANINGS[code], "data": text}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (request.id or b"null", encode(error))


def reply_batch(replies: Iterable[bytes]) -> bytes:
    """One list of the replies; nothing when all calls were notifications (JSON-RPC 2.0, section 6)."""
    answered = [reply.rstrip() for reply in replies if reply]
    return b"[%b]\n" % b",".join(answered) if answered else b""
