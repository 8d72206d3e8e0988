"""Requests and replies at the HTTP edge."""

from __future__ import annotations

from common.web.reading import Body
from logger.domain import Draft, LogEntry


class LogBody(Body):
    """`name` and `data` as in the Go original; the rest may be left out. The rules on the values are the domain's."""

    name: str
    data: str
    id: str = ""
    level: str = ""
    service: str = ""
    trace_id: str = ""
    timestamp: str = ""

    def draft(self) -> Draft:
        return Draft(**self.model_dump())


def entry_as_json(entry: LogEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "name": entry.name,
        "data": entry.data,
        "level": entry.level,
        "service": entry.service,
        "protocol": entry.protocol,
        "request_id": entry.request_id,
        "trace_id": entry.trace_id,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
    }
