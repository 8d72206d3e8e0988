"""Outbound HTTP: one client class per remote service is built on this.

Every call has a timeout, carries the request's identity, and fails with one of our own errors whose text names no address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from common import context
from common.errors import (
    AppError,
    BadReplyError,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    InvalidError,
    MalformedError,
    NotFoundError,
    Problem,
    TooLargeError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)

CONNECT_SECONDS = 3.0
IDLE_SESSIONS = 64


# What the far side says about our request is for the caller to read; everything else is told in our own words.
_SPOKEN: dict[int, type[AppError]] = {
    400: MalformedError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    415: MalformedError,
}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: dict[str, Any]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The envelope's message or the problem's detail."""
        text = self.body.get("message") or self.body.get("detail") or ""
        return text if isinstance(text, str) else ""


@dataclass(frozen=True, slots=True)
class RawReply:
    """A reply as it came; `headers` may be asked for in any spelling."""

    status: int
    content: bytes
    headers: Mapping[str, str]


class JsonClient:
    """JSON over HTTP to one service. A session is used by one call at a time, since `requests` does not promise that sharing is safe."""

    def __init__(self, name: str, base_url: str, *, timeout: float) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        # the one used last is taken first, so that a busy hour leaves no more connections in use than a quiet one needs
        self._idle: deque[requests.Session] = deque(maxlen=IDLE_SESSIONS)

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        try:
            session = self._idle.pop()
        except IndexError:
            session = requests.Session()
            session.trust_env = False  # no proxy or netrc look-ups: the far side is ours
            session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
        yield session
        self._idle.append(session)

    def get(self, path: str, *, timeout: float | None = None) -> Reply:
        return self._send("GET", path, None, timeout)

    def post(self, path: str, body: object, *, timeout: float | None = None) -> Reply:
        return self._send("POST", path, orjson.dumps(body), timeout)

    def accepted(self, reply: Reply, *, under: str = "") -> Reply:
        """The reply if it is a success; else raises the error that its status stands for.

        `under` is the member of our caller's body that was sent on, so that pointers lead back into it.
        """
        if reply.ok:
            return reply
        message = reply.message or f"{self.name} refused the request"
        if reply.status == 422:
            problems = _problems(reply.body, under)
            raise InvalidError(f"{under}.{message}" if under and problems else message, problems=problems)
        if reply.status == 429:
            raise TooManyError(message)
        if reply.status == 503:
            raise UnavailableError(message)
        if reply.status == 504:
            raise DeadlineError(message)
        error = _SPOKEN.get(reply.status)
        raise error(message) if error else BadReplyError(f"{self.name} could not handle the request")

    def _send(self, method: str, path: str, body: bytes | None, timeout: float | None) -> Reply:
        raw = self.exchange(method, path, body, timeout=timeout)
        return Reply(raw.status, self._body(raw.content))

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> RawReply:
        """One request and whatever answer comes. Raises UnavailableError, or DeadlineError when the outcome is unknown."""
        bound = context.current()
        headers = {"Content-Type": content_type} if body is not None else {}
        headers |= bound.headers() if bound else {}
        limit = timeout or self._timeout
        try:
            with self._session() as session:
                response = session.request(
                    method,
                    self._base_url + path,
                    data=body,
                    headers=headers,
                    timeout=(min(CONNECT_SECONDS, limit), limit),
                    allow_redirects=False,
                )
        except requests.ConnectTimeout as error:
            raise UnavailableError(f"{self.name} cannot be reached") from error
        except requests.Timeout as error:
            raise DeadlineError(f"{self.name} did not answer in time") from error
        except requests.RequestException as error:
            if _never_sent(error):
                raise UnavailableError(f"{self.name} cannot be reached") from error
            raise DeadlineError(f"{self.name} hung up before it answered") from error
        return RawReply(response.status_code, response.content, response.headers)

    def _body(self, content: bytes) -> dict[str, Any]:
        if not content:
            return {}
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise BadReplyError(f"{self.name} gave an answer that is not JSON") from error
        if not isinstance(body, dict):
            raise BadReplyError(f"{self.name} gave an answer of the wrong kind")
        return body


def _never_sent(error: requests.RequestException) -> bool:
    """Only then it is certain that nothing was done; after that the outcome is unknown."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)


def _problems(body: dict[str, Any], under: str) -> list[Problem]:
    listed = body.get("errors")
    prefix = f"#/{under}" if under else "#"
    return [
        Problem(prefix + str(each.get("pointer", "")).removeprefix("#"), str(each.get("detail", "")))
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    ]
