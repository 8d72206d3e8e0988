"""What the codecs of Go's net/rpc have in common: how a call fails, how a stream fails, and the words a Go
server uses for it (texts read from net/rpc, encoding/json and encoding/gob of Go 1.19).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from common.errors import AppError, Kind

MAX_MESSAGE = 1024 * 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


class Code(IntEnum):
    """JSON-RPC 2.0, section 5.1. Gob and JSON-RPC 1.0 have no room for a code and send the text alone."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_ERROR = -32000


class StreamError(Exception):
    """The stream cannot be followed any further: send `answer` if there is one, then close the connection."""

    def __init__(self, message: str, *, answer: bytes = b"") -> None:
        super().__init__(message)
        self.answer = answer


class CallError(Exception):
    """One call fails with a text for its caller; the connection goes on."""

    def __init__(self, text: str, *, code: Code = Code.SERVER_ERROR) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


# Neither codec of net/rpc has room for a status: what a caller must tell apart begins its error text.
_PREFIXES: dict[Kind, str] = {
    Kind.TOO_MANY: "too many requests: ",
    Kind.UNAVAILABLE: "unavailable: ",
    Kind.TIMEOUT: "timeout: ",
}


def failure_text(error: AppError) -> str:
    """The error's message as a call's error text; `failure_kind` reads the kind out of it."""
    return _PREFIXES.get(error.kind, "") + error.message


def failure_kind(text: str) -> Kind | None:
    """TOO_MANY, UNAVAILABLE or TIMEOUT when an error text says so."""
    return next((kind for kind, prefix in _PREFIXES.items() if text.startswith(prefix)), None)


@dataclass(frozen=True, slots=True)
class GoStruct:
    """A struct of strings as the Go side declares it, such as `main.Payload` with its exported field names.

    `extras` are fields that only our own callers send: a Go program may use the same names for something else, so
    an extra of another type is passed over, where a field of another type fails the call.
    """

    qualified: str
    fields: tuple[str, ...]
    extras: tuple[str, ...] = ()
    folded: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", {name.casefold(): name for name in self.names})

    @property
    def names(self) -> tuple[str, ...]:
        return self.fields + self.extras

    @property
    def name(self) -> str:
        return self.qualified.rpartition(".")[2]


def check_method(method: str, known: Collection[str]) -> None:
    """Raise CallError, in net/rpc's words, unless `method` ("Service.Method") is one of `known`."""
    if method in known:
        return
    service, dot, _ = method.rpartition(".")
    if not dot:
        raise CallError(f"rpc: service/method request ill-formed: {method}", code=Code.METHOD_NOT_FOUND)
    part = "method" if any(name.rpartition(".")[0] == service for name in known) else "service"
    raise CallError(f"rpc: can't find {part} {method}", code=Code.METHOD_NOT_FOUND)


def sniff(head: bytes) -> Literal["gob", "json"]:
    """The codec of a connection by its first two bytes.

    Gob opens with the definition of type 65, whose id is a multi-byte integer and so starts with 0xFF;
    that byte occurs nowhere in UTF-8, hence in no JSON text.
    """
    if len(head) < 2:
        raise ValueError("two bytes are needed to tell the codecs apart")
    return "gob" if head[1] == 0xFF else "json"


def has_surrogate(text: str) -> bool:
    """Whether `text` holds what neither UTF-8 nor any database can carry."""
    return _SURROGATE.search(text) is not None


def utf8(text: str) -> bytes:
    """UTF-8 of any str; a lone surrogate, which UTF-8 cannot carry, becomes U+FFFD as in Go."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()
