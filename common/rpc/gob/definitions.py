"""Writes what our side of a gob stream needs: definitions of structs and their values, byte for byte as Go does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from common.rpc.gob.typedefs import STRING, UINT
from common.rpc.gob.wire import message, signed, string, uint

FIRST_ID = 65  # the first number that a Go process gives out
SECOND_ID = 66
_SLICE = b"\x02"  # distance to wireType.SliceT
_STRUCT = b"\x03"  # distance to wireType.StructT
_END = b"\x00"
_FIELD_TYPES = {"Seq": UINT}


def define_struct(type_id: int, name: str, fields: Sequence[str]) -> bytes:
    """The message that defines a struct of strings; a field called Seq is a uint, as in net/rpc's own two structs."""
    listed = b"".join(_struct([string(field), signed(_FIELD_TYPES.get(field, STRING))]) for field in fields)
    common = _struct([string(name) if name else b"", signed(type_id)])
    definition = _struct([common, uint(len(fields)) + listed if fields else b""])
    return message(signed(-type_id) + _STRUCT + definition + _END)


def define_slice(type_id: int, element_id: int) -> bytes:
    """The message that defines a slice without a name of its own."""
    definition = _struct([_struct([b"", signed(type_id)]), signed(element_id)])
    return message(signed(-type_id) + _SLICE + definition + _END)


def slice_value(type_id: int, rows: Iterable[Iterable[str]]) -> bytes:
    """The message of a slice of structs: what is no struct is led by a zero byte, then comes the number of elements."""
    elements = [_struct([string(value) if value else b"" for value in row]) for row in rows]
    return message(signed(type_id) + _END + uint(len(elements)) + b"".join(elements))


def struct_value(type_id: int, fields: Iterable[str | int]) -> bytes:
    """The message of one value; zero fields are left out, which gob demands."""
    encoded = [_scalar(value) if value else b"" for value in fields]
    return message(signed(type_id) + _struct(encoded))


def string_value(text: str) -> bytes:
    """The message of a string on its own: what is no struct is led by a zero byte."""
    return message(signed(STRING) + _END + string(text))


def _scalar(value: str | int) -> bytes:
    return string(value) if isinstance(value, str) else uint(value)


def _struct(encoded: Iterable[bytes]) -> bytes:
    """Fields in order, each led by its distance from the one before; an empty one is not there."""
    parts: list[bytes] = []
    distance = 1
    for field in encoded:
        if field:
            parts += (uint(distance), field)
            distance = 1
        else:
            distance += 1
    return b"".join(parts) + _END
