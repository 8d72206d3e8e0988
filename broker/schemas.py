"""Requests at the gateway's edge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from broker.domain import LogOrder, Via
from common.errors import UnsupportedError
from common.ids import is_safe_id, new_record_id
from common.web.reading import Body, Text, no_nul
from protos.limits import LEVEL_ALIASES, LEVELS, MAX_DATA_BYTES, MAX_NAME_CHARACTERS, MAX_SERVICE_CHARACTERS


class HandleBody(Body):
    """`POST /handle`. A client of the Go original sends every section, the unused ones empty: only the action's own is read."""

    action: str = ""
    auth: Any = None
    log: Any = None
    mail: Any = None


def _level(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.upper()
    name = LEVEL_ALIASES.get(name, name)
    if name not in LEVELS:
        raise ValueError(f"must be one of {', '.join(LEVELS)}")
    return name


def _data(value: str) -> str:
    if len(value.encode()) > MAX_DATA_BYTES:
        raise ValueError(f"must not be longer than {MAX_DATA_BYTES} bytes")
    return value


def _record_id(value: str) -> str:
    if value and not is_safe_id(value):
        raise ValueError("must be 1 to 128 letters, digits, dots, colons, hyphens or underscores")
    return value


class LogPayload(Body):
    """`name` and `data` as in the Go original; `via` chooses the protocol, JSON-RPC unless told otherwise."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS), AfterValidator(no_nul)]
    data: Annotated[Text, AfterValidator(_data)]
    via: str = Via.RPC
    level: Annotated[str, BeforeValidator(_level)] = "INFO"
    id: Annotated[str, AfterValidator(_record_id)] = ""
    service: Annotated[str, StringConstraints(max_length=MAX_SERVICE_CHARACTERS), AfterValidator(no_nul)] = ""

    def order(self) -> LogOrder:
        return LogOrder(
            id=self.id or new_record_id(),
            name=self.name,
            data=self.data,
            level=self.level,
            service=self.service or "broker",
            timestamp=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )

    def door(self) -> Via:
        """Raises UnsupportedError for a protocol that nobody speaks here."""
        try:
            return Via(self.via.lower())
        except ValueError:
            raise UnsupportedError(f"unknown via; choose one of {', '.join(Via)}") from None
