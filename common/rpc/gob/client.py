"""The caller's side of a gob connection, for our own tools and for a Go server that speaks nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from common.rpc.calls import GoStruct
from common.rpc.gob.definitions import FIRST_ID, SECOND_ID, define_struct, struct_value
from common.rpc.gob.values import Value, ValueStream
from common.rpc.gob.wire import GobError

_REQUEST = define_struct(FIRST_ID, "Request", ("ServiceMethod", "Seq"))


@dataclass(frozen=True, slots=True)
class GobReply:
    """`error` None means success."""

    method: str
    seq: int
    result: object
    error: str | None


class CallEncoder:
    """The calls of one connection, all with the same struct. Encode in the order of writing."""

    def __init__(self, struct: GoStruct) -> None:
        self._fields = struct.names
        self._request = _REQUEST
        self._argument = define_struct(SECOND_ID, struct.name, struct.names)

    def encode(self, seq: int, method: str, values: Mapping[str, str]) -> bytes:
        request, self._request = self._request, b""
        argument, self._argument = self._argument, b""
        header = request + struct_value(FIRST_ID, (method, seq))
        return header + argument + struct_value(SECOND_ID, [values.get(name, "") for name in self._fields])


class ReplyDecoder:
    """The replies of one connection, in the order the server finished them: match them by seq."""

    def __init__(self) -> None:
        self._values = ValueStream()
        self._header: Value | None = None

    def feed(self, data: bytes) -> Iterator[GobReply]:
        """Take `data` in, then yield the replies it completes. Raises GobError: close the connection."""
        return self._replies(self._values.feed(data))

    def _replies(self, values: Iterator[Value]) -> Iterator[GobReply]:
        for value in values:
            header, self._header = self._header, None
            if header is None:
                self._header = value
            else:
                yield _read_reply(header.content, value.content)


def _read_reply(header: object, body: object) -> GobReply:
    if not isinstance(header, dict):
        raise GobError("reply without a header")
    method, seq, error = header.get("ServiceMethod", ""), header.get("Seq", 0), header.get("Error", "")
    if not isinstance(method, str) or type(seq) is not int or not isinstance(error, str):
        raise GobError("bad reply header")
    return GobReply(method, seq, None if error else body, error or None)
