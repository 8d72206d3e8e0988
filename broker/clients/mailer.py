"""The mailer over HTTP."""

from __future__ import annotations

from typing import Any

from common.web.client import JsonClient


class MailerClient:
    def __init__(self, http: JsonClient) -> None:
        self._http = http

    def send(self, mail: dict[str, Any]) -> dict[str, Any] | None:
        data = self._http.accepted(self._http.post("/send", mail), under="mail").body.get("data")
        return data if isinstance(data, dict) else None
