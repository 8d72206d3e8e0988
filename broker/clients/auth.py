"""The auth service over HTTP."""

from __future__ import annotations

from typing import Any

from common.errors import BadReplyError, UnauthenticatedError
from common.web.client import JsonClient


class AuthClient:
    def __init__(self, http: JsonClient) -> None:
        self._http = http

    def authenticate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        reply = self._http.post("/authenticate", credentials)
        # the Go original's auth service says 400 where ours says 401; nothing else about well-formed credentials is a 400
        if reply.status in (400, 401):
            raise UnauthenticatedError(reply.message or "invalid credentials")
        user = self._http.accepted(reply, under="auth").body.get("data")
        if not isinstance(user, dict):
            raise BadReplyError(f"{self._http.name} named no user")
        return user
