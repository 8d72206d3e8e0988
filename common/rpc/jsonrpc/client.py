"""The caller's side: calls as a Go client writes them, and the replies of a Go server or of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from common.rpc.calls import MAX_MESSAGE
from common.rpc.jsonrpc.encoding import encode
from common.rpc.jsonrpc.framing import Document, DocumentStream, FramingError


@dataclass(frozen=True, slots=True)
class Reply:
    """`error` None means success. `id` None: the server could not tell which call it answers."""

    id: int | None
    result: object
    error: str | None


def encode_call(call_id: int, method: str, params: Mapping[str, object]) -> bytes:
    """One line; `params` is the one struct of the call, its keys in the order of the Go declaration.

    Byte for byte what a Go client writes, as long as that fits into one message: its escapes, made for HTML pages, take up to six
    bytes for one, and no reader needs them.
    """
    line = b'{"method":%b,"params":[%b],"id":%d}\n'
    call = line % (encode(method), encode(params), call_id)
    return call if len(call) <= MAX_MESSAGE else line % (encode(method), orjson.dumps(params), call_id)


class ReplyDecoder:
    """The replies of one connection, in the order the server finished them: match them by id."""

    def __init__(self) -> None:
        self._documents = DocumentStream()

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take `data` in, then yield the replies it completes. Raises FramingError: close the connection."""
        return (_read_reply(document) for document in self._documents.feed(data))


def _read_reply(document: Document) -> Reply:
    value = document.value
    if not isinstance(value, dict):
        raise FramingError("not a JSON object")
    call_id, result, error = value.get("id"), value.get("result"), value.get("error")
    if type(call_id) is not int:
        call_id = None
    if error is None:
        return Reply(call_id, result, "reply without result and error" if result is None else None)
    return Reply(call_id, None, _error_text(error))


def _error_text(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) and message else "unspecified error"
