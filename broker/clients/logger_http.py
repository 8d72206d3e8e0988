"""The log store over HTTP: writing through POST /log, reading back by id."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from broker.domain import LogOrder
from common.web.client import JsonClient


class LoggerHttpDoor:
    def __init__(self, http: JsonClient) -> None:
        self._http = http

    def write(self, order: LogOrder) -> str:
        return self._http.accepted(self._http.post("/log", asdict(order)), under="log").message

    def get(self, record_id: str) -> dict[str, Any]:
        return self._http.accepted(self._http.get(f"/api/v1/logs/{quote(record_id, safe='')}")).body
