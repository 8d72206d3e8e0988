"""The server's side of a gob connection: calls out of bytes, replies into bytes, in net/rpc's own words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from common.rpc.calls import CallError, GoStruct, check_method, has_surrogate
from common.rpc.gob.definitions import (
    FIRST_ID,
    SECOND_ID,
    define_slice,
    define_struct,
    slice_value,
    string_value,
    struct_value,
)
from common.rpc.gob.typedefs import STRING, Struct
from common.rpc.gob.values import Value, ValueStream
from common.rpc.gob.wire import GobError

_RESPONSE = define_struct(FIRST_ID, "Response", ("ServiceMethod", "Seq", "Error"))


@dataclass(frozen=True, slots=True)
class GobCall:
    """One call. Where `struct`, a declaration, is not None, `argument` is such a struct, a dict without its zero fields, or a list of them."""

    method: str
    seq: int
    argument: object
    struct: Struct | None

    def check(self, methods: Collection[str]) -> None:
        """Raise CallError unless this is a call of one of `methods`."""
        check_method(self.method, methods)


class CallDecoder:
    """The calls of one connection, in order; the caller may answer them in any order."""

    def __init__(self) -> None:
        self._values = ValueStream()
        self._header: Value | None = None

    @property
    def buffered(self) -> int:
        """Bytes of a message that has begun and not ended."""
        return self._values.buffered

    def feed(self, data: bytes) -> Iterator[GobCall]:
        """Take `data` in, then yield the calls it completes. Raises GobError after the good ones: close."""
        return self._calls(self._values.feed(data))

    def _calls(self, values: Iterator[Value]) -> Iterator[GobCall]:
        for value in values:
            header, self._header = self._header, None
            if header is None:
                self._header = value
            else:
                yield _read_call(header, value)


def _read_call(header: Value, argument: Value) -> GobCall:
    members = header.content
    if not isinstance(members, dict) or header.struct is None:
        raise GobError("call without a header")
    method, seq = members.get("ServiceMethod", ""), members.get("Seq", 0)
    if not isinstance(method, str) or type(seq) is not int or seq < 0:
        raise GobError("bad call header")
    return GobCall(method, seq, argument.content, argument.struct)


def struct_fields(call: GobCall, struct: GoStruct) -> dict[str, str]:
    """The strings of the struct a call carries, extras included; absent ones are "". Raises CallError with Go's text.

    As in Go the declaration counts, not the value: a field of another type fails even when it is zero and so not sent.
    """
    if call.struct is None or not isinstance(call.argument, dict):
        raise CallError(f"gob: type mismatch in decoder: want struct type {struct.qualified}; got non-struct")
    _check_declaration(call.struct, struct)
    return _strings(call.argument, struct)


def struct_list(call: GobCall, struct: GoStruct) -> list[dict[str, str] | CallError]:
    """The same for the slice of structs a call carries; an element that holds no valid text is its error."""
    if not isinstance(call.argument, list) or (call.argument and call.struct is None):
        raise CallError(f"gob: type mismatch in decoder: want slice of {struct.qualified}")
    if call.struct is not None:
        _check_declaration(call.struct, struct)
    found: list[dict[str, str] | CallError] = []
    for element in call.argument:
        try:
            found.append(_strings(element, struct))
        except CallError as error:
            found.append(error)
    return found


def _check_declaration(declared: Struct, struct: GoStruct) -> None:
    matched = [(name, type_id) for name, type_id in declared.fields if name in struct.fields]
    for name, type_id in matched:
        if type_id != STRING:
            raise CallError(f"gob: wrong type (string) for received field {declared.name}.{name}")
    if declared.fields and not matched:
        raise CallError(f"gob: type mismatch: no fields matched compiling decoder for {struct.name}")


def _strings(members: Mapping[str, object], struct: GoStruct) -> dict[str, str]:
    values = {name: _text(members.get(name, "")) for name in struct.names}
    for name in struct.fields:
        if values[name] is None:
            raise CallError(f"gob: field {struct.name}.{name} is not valid UTF-8")
    return {name: value or "" for name, value in values.items()}


def _text(value: object) -> str | None:
    """A value that is a string of valid Unicode."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() or not has_surrogate(value) else None


class ReplyEncoder:
    """The replies of one connection. Definitions go out before first use: encode in the order of writing.

    Types get their numbers when they are first used, as in Go. `row` is the struct that a list in a reply is made of.
    """

    def __init__(self, row: GoStruct | None = None) -> None:
        self._response = _RESPONSE
        self._row = row
        self._next_id = SECOND_ID
        self._nothing_id = self._list_id = 0

    def ok(self, call: GobCall, body: str) -> bytes:
        return self._header(call, "") + string_value(body)

    def ok_list(self, call: GobCall, rows: Iterable[Mapping[str, str]]) -> bytes:
        """`rows` hold the fields of the struct given at the start."""
        row = self._row
        assert row is not None  # noqa: S101 - a programming error, not input
        definitions = b""
        if not self._list_id:
            row_id, self._list_id = self._new_id(), self._new_id()
            definitions = define_slice(self._list_id, row_id) + define_struct(row_id, row.name, row.names)
        value = slice_value(self._list_id, ([members[name] for name in row.names] for members in rows))
        return self._header(call, "") + definitions + value

    def error(self, call: GobCall, text: str) -> bytes:
        """The body of a failed call is an empty struct, which Go clients skip."""
        definition = b""
        if not self._nothing_id:
            self._nothing_id = self._new_id()
            definition = define_struct(self._nothing_id, "", ())
        return self._header(call, text or "unspecified error") + definition + struct_value(self._nothing_id, ())

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _header(self, call: GobCall, error: str) -> bytes:
        response, self._response = self._response, b""
        return response + struct_value(FIRST_ID, (call.method, call.seq, error))
