"""Entries as MongoDB keeps them and back again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId, Timestamp

from common.ids import object_id_hex
from common.mongo import Document
from logger.domain import LogEntry
from logger.mongo.windows import BEGINNING

COLLECTION = "logs"
# Marks an entry that the audit chain has still to take, with when it was stored: the server makes its own time of a Timestamp of zeros.
UNSEALED = "unsealed"


def key_of(record_id: str) -> ObjectId:
    """`_id` of the entry with this id: the same id always gives the same, so a retry meets its own record."""
    return ObjectId(bytes.fromhex(object_id_hex(record_id)))


def document_of(entry: LogEntry) -> Document:
    """Fields of the Go original first, in its order; empty additions are left out."""
    key = object_id_hex(entry.id)
    document: Document = {
        "_id": ObjectId(bytes.fromhex(key)),
        "name": entry.name,
        "data": entry.data,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "level": entry.level,
        "protocol": entry.protocol,
    }
    if key != entry.id:
        document["event_id"] = entry.id
    if entry.service:
        document["service"] = entry.service
    if entry.request_id:
        document["request_id"] = entry.request_id
    if entry.trace_id:
        document["trace_id"] = entry.trace_id
    if entry.span_id:
        document["span_id"] = entry.span_id
    if entry.fields:
        document["fields"] = entry.fields
    if entry.category:
        document["category"] = entry.category
        document[UNSEALED] = Timestamp(0, 0)
    return document


def entry_of(document: Mapping[str, Any]) -> LogEntry:
    """Tolerates documents of the Go original, which may lack any field and hold zero times."""
    created: datetime = document.get("created_at") or BEGINNING
    return LogEntry(
        id=document.get("event_id") or str(document["_id"]),
        name=text_of(document.get("name")),
        data=text_of(document.get("data")),
        level=document.get("level") or "INFO",
        service=text_of(document.get("service")),
        protocol=text_of(document.get("protocol")),
        request_id=text_of(document.get("request_id")),
        trace_id=text_of(document.get("trace_id")),
        created_at=created,
        updated_at=document.get("updated_at") or created,
        span_id=text_of(document.get("span_id")),
        fields=document.get("fields"),
        category=text_of(document.get("category")),
    )


def text_of(value: object) -> str:
    """A text that may be missing."""
    return "" if value is None else str(value)
