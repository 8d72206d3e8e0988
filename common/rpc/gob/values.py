"""Decodes gob values of any type by the definitions their sender gave, with limits on depth and number.

A struct becomes a dict without its zero fields (gob omits them), a map a dict, a slice or an array a list; what a
Go program packs into an interface is stepped over and becomes None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from common.rpc.gob.typedefs import (
    BOOL,
    BYTES,
    COMPLEX,
    FLOAT,
    INT,
    INTERFACE,
    STRING,
    UINT,
    WIRE_TYPE,
    Array,
    Map,
    Opaque,
    Slice,
    Struct,
    TypeDef,
    TypeTable,
)
from common.rpc.gob.wire import GobError, MessageStream, Reader

MAX_DEPTH = 32

_BASIC: dict[int, Callable[[Reader], Any]] = {
    BOOL: lambda reader: reader.uint() != 0,
    INT: Reader.signed,
    UINT: Reader.uint,
    FLOAT: Reader.double,
    BYTES: Reader.blob,
    STRING: Reader.string,
    COMPLEX: lambda reader: complex(reader.double(), reader.double()),
}


class Value:
    """A decoded top-level value, with its type when it is a struct; for a slice, that of its elements when they are structs."""

    __slots__ = ("content", "struct")

    def __init__(self, content: object, struct: Struct | None) -> None:
        self.content = content
        self.struct = struct


class ValueStream:
    """The values of one direction of one connection; type definitions in between are kept to decode them by."""

    def __init__(self) -> None:
        self._messages = MessageStream()
        self._types = TypeTable()

    @property
    def buffered(self) -> int:
        return self._messages.buffered

    def feed(self, data: bytes) -> Iterator[Value]:
        """Take `data` in, then yield the values it completes. Raises GobError after the good ones."""
        return self._values(self._messages.feed(data))

    def _values(self, messages: Iterator[Reader]) -> Iterator[Value]:
        for reader in messages:
            type_id = reader.signed()
            if type_id < 0:
                self._define(reader, -type_id)
            else:
                yield self._top_level(reader, type_id)
            if reader.left:
                raise GobError("bytes after the value")

    def _top_level(self, reader: Reader, type_id: int) -> Value:
        definition = self._definition(type_id)
        if not isinstance(definition, Struct) and reader.uint():
            raise GobError("bad start of a value that is no struct")
        content = self._read(reader, type_id, MAX_DEPTH)
        if isinstance(definition, Slice):
            definition = self._definition(definition.element)
        return Value(content, definition if isinstance(definition, Struct) else None)

    def _definition(self, type_id: int) -> TypeDef | None:
        """None for the types known from the start."""
        return None if type_id in _BASIC or type_id == INTERFACE else self._types.get(type_id)

    def _define(self, reader: Reader, type_id: int) -> None:
        before = reader.left
        description = self._read(reader, WIRE_TYPE, MAX_DEPTH)
        self._types.define(type_id, description, size=before - reader.left)

    def _read(self, reader: Reader, type_id: int, depth: int) -> Any:  # noqa: ANN401 - whatever the sender defined
        basic = _BASIC.get(type_id)
        if basic is not None:
            return basic(reader)
        if not depth:
            raise GobError("nested too deeply")
        if type_id == INTERFACE:
            return self._skip_interface(reader)
        return self._read_defined(reader, self._types.get(type_id), depth - 1)

    def _read_defined(self, reader: Reader, definition: TypeDef, depth: int) -> Any:  # noqa: ANN401 - as above
        match definition:
            case Struct():
                return self._read_struct(reader, definition, depth)
            case Slice():
                return self._read_list(reader, definition.element, depth)
            case Array():
                return self._read_list(reader, definition.element, depth, length=definition.length)
            case Map():
                return self._read_map(reader, definition, depth)
            case Opaque():
                return reader.blob()

    def _read_struct(self, reader: Reader, definition: Struct, depth: int) -> dict[str, Any]:
        """Fields come as the distance to the one before, 0 ends them; -1 is before the first."""
        values: dict[str, Any] = {}
        fields, index = definition.fields, -1
        while delta := reader.uint():
            index += delta
            if index >= len(fields):
                raise GobError("field beyond the struct")
            reader.spend(1)
            name, type_id = fields[index]
            values[name] = self._read(reader, type_id, depth)
        return values

    def _read_list(self, reader: Reader, element: int, depth: int, *, length: int | None = None) -> list[Any]:
        count = reader.count()
        if length is not None and count != length:
            raise GobError("array of another length than defined")
        return [self._read(reader, element, depth) for _ in range(count)]

    def _read_map(self, reader: Reader, definition: Map, depth: int) -> dict[Any, Any]:
        values = {}
        for _ in range(reader.count()):
            key = self._read(reader, definition.key, depth)
            # Go allows structs and arrays as keys, a dict does not
            key = repr(key) if isinstance(key, dict | list) else key
            values[key] = self._read(reader, definition.element, depth)
        return values

    def _skip_interface(self, reader: Reader) -> None:
        """Name of the concrete type, definitions of types not yet known, type id, length, value; no name is nil."""
        if not reader.blob():
            return
        while (type_id := reader.signed()) < 0:
            self._define(reader, -type_id)
            if reader.left:
                reader.uint()
        reader.blob()
