"""The types of a gob stream: the ones known from the start and those that the peer defines on the way.

Definitions come from strangers, so their number, their fields and their size have limits per connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from common.rpc.gob.wire import GobError

BOOL, INT, UINT, FLOAT, BYTES, STRING, COMPLEX, INTERFACE = range(1, 9)
WIRE_TYPE = 16
FIRST_USER_TYPE = 64
MAX_TYPES = 256
MAX_FIELDS = 4096
MAX_DEFINITION_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    fields: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Slice:
    element: int


@dataclass(frozen=True, slots=True)
class Array:
    element: int
    length: int


@dataclass(frozen=True, slots=True)
class Map:
    key: int
    element: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A Go type with an encoding of its own, such as time.Time: bytes to us."""


TypeDef = Struct | Slice | Array | Map | Opaque

_COMMON = ("CommonType", 18)
# How Go describes a type by the very encoding it describes (encoding/gob, type.go, wireType and what it is made of).
_BUILT_IN: Mapping[int, TypeDef] = MappingProxyType(
    {
        WIRE_TYPE: Struct(
            "wireType",
            (
                ("ArrayT", 17),
                ("SliceT", 19),
                ("StructT", 20),
                ("MapT", 23),
                ("GobEncoderT", 24),
                ("BinaryMarshalerT", 24),
                ("TextMarshalerT", 24),
            ),
        ),
        17: Struct("arrayType", (_COMMON, ("Elem", INT), ("Len", INT))),
        18: Struct("CommonType", (("Name", STRING), ("Id", INT))),
        19: Struct("sliceType", (_COMMON, ("Elem", INT))),
        20: Struct("structType", (_COMMON, ("Field", 22))),
        21: Struct("fieldType", (("Name", STRING), ("Id", INT))),
        22: Slice(21),
        23: Struct("mapType", (_COMMON, ("Key", INT), ("Elem", INT))),
        24: Struct("gobEncoderType", (_COMMON,)),
    }
)


class TypeTable:
    """The types of one direction of one connection; each is defined once, before its first value."""

    def __init__(self) -> None:
        self._types: dict[int, TypeDef] = dict(_BUILT_IN)
        self._fields_left = MAX_FIELDS
        self._bytes_left = MAX_DEFINITION_BYTES

    def get(self, type_id: int) -> TypeDef:
        try:
            return self._types[type_id]
        except KeyError:
            raise GobError("value of a type that was not defined") from None

    def define(self, type_id: int, description: Mapping[str, object], *, size: int) -> None:
        """Add a type from its decoded wireType, whose encoding took `size` bytes."""
        if type_id < FIRST_USER_TYPE or type_id in self._types:
            raise GobError("type defined twice, or in place of a built-in one")
        definition = _read_definition(description)
        self._bytes_left -= size
        if isinstance(definition, Struct):
            self._fields_left -= len(definition.fields)
        if len(self._types) - len(_BUILT_IN) >= MAX_TYPES or min(self._bytes_left, self._fields_left) < 0:
            raise GobError("too many types on one connection")
        self._types[type_id] = definition


def _read_definition(description: Mapping[str, object]) -> TypeDef:
    match description:
        case {"StructT": {**members}}:
            return Struct(_name(members), _fields(members.get("Field", [])))
        case {"SliceT": {"Elem": int(element)}}:
            return Slice(element)
        case {"ArrayT": {"Elem": int(element), **members}}:
            return Array(element, _length(members.get("Len", 0)))
        case {"MapT": {"Key": int(key), "Elem": int(element)}}:
            return Map(key, element)
        case {"GobEncoderT": _} | {"BinaryMarshalerT": _} | {"TextMarshalerT": _}:
            return Opaque()
    raise GobError("bad type definition")


def _name(members: object) -> str:
    match members:
        case {"CommonType": {"Name": str(name)}}:
            return name
    return ""


def _length(number: object) -> int:
    if not isinstance(number, int) or number < 0:
        raise GobError("bad array length")
    return number


def _fields(entries: object) -> tuple[tuple[str, int], ...]:
    fields = []
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case {"Name": str(name), "Id": int(type_id)}:
                fields.append((name, type_id))
            case _:
                raise GobError("bad field in a type definition")
    return tuple(fields)
