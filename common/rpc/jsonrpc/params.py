"""Reads members and fields the way Go's encoding/json fills a struct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from common.rpc.calls import CallError, Code, GoStruct

if TYPE_CHECKING:
    from common.rpc.jsonrpc.requests import Request

_KINDS: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def field(members: Mapping[str, object], name: str) -> object:
    """The member called `name`, exactly or else in any case; None when there is none."""
    if name in members:
        return members[name]
    folded = name.casefold()
    return next((value for key, value in members.items() if key.casefold() == folded), None)


def struct_fields(request: Request, struct: GoStruct) -> dict[str, str]:
    """The strings of the one struct a call carries, extras included; what is absent or null is "" as in Go.

    Raises CallError with the text a Go server answers. Version 2.0 may pass the struct itself as params.
    """
    params = request.params
    if isinstance(params, dict) and request.version == "2.0":
        return _fields(params, struct)
    return _fields(_first(params), struct)


def struct_list(request: Request, struct: GoStruct) -> list[dict[str, str] | CallError]:
    """The same for the one slice of structs a call carries; a member that Go's decoder would fail the whole call for is its error.

    Raises CallError when there is no list.
    """
    members = _first(request.params)
    if members is None:
        return []
    if not isinstance(members, list):
        raise _invalid(f"json: cannot unmarshal {_KINDS[type(members)]} into Go value of type []{struct.qualified}")
    found: list[dict[str, str] | CallError] = []
    for member in members:
        try:
            found.append(_fields(member, struct))
        except CallError as error:
            found.append(error)
    return found


def _fields(argument: object, struct: GoStruct) -> dict[str, str]:
    values = dict.fromkeys(struct.names, "")
    if argument is None:
        return values
    if not isinstance(argument, dict):
        raise _invalid(f"json: cannot unmarshal {_KINDS[type(argument)]} into Go value of type {struct.qualified}")
    for key, value in argument.items():
        name = key if key in values else struct.folded.get(key.casefold())
        if name is None or value is None:
            continue
        if isinstance(value, str):
            values[name] = value
        elif name in struct.fields:
            kind = _KINDS[type(value)]
            raise _invalid(f"json: cannot unmarshal {kind} into Go struct field {struct.name}.{name} of type string")
    return values


def _first(params: object) -> object:
    """The one argument of a call; None when the list of arguments is empty."""
    if params is None:
        raise _invalid("jsonrpc: request body missing params")
    if not isinstance(params, list):
        raise _invalid(f"json: cannot unmarshal {_KINDS[type(params)]} into Go value of type [1]interface {{}}")
    return params[0] if params else None


def _invalid(text: str) -> CallError:
    return CallError(text, code=Code.INVALID_PARAMS)
