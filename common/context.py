"""Who asks, carried along with the work: the request id and the W3C trace context, bound once per request or message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from common.ids import is_safe_id, new_hex, new_request_id

REQUEST_ID_HEADER = "X-Request-Id"
TRACEPARENT_HEADER = "traceparent"

# https://www.w3.org/TR/trace-context/#traceparent-header, version 00; later versions may append fields.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


@dataclass(frozen=True, slots=True)
class RequestContext:
    request_id: str
    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def headers(self) -> dict[str, str]:
        """What the next hop needs to go on with the same request, as HTTP headers, AMQP headers or task headers."""
        return {REQUEST_ID_HEADER: self.request_id, TRACEPARENT_HEADER: self.traceparent}

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The same as gRPC metadata, whose keys are lower-case."""
        return tuple((name.lower(), value) for name, value in self.headers().items())


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def continue_context(request_id: str | None, traceparent: str | None) -> RequestContext:
    """A context for work that arrives with these values; what is missing or unusable is made anew."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return RequestContext(
        request_id=request_id if request_id and is_safe_id(request_id) else new_request_id(),
        trace_id=match[1] if match else new_hex(32),
        span_id=new_hex(16),
        flags=match[3] if match else "01",
    )


def from_headers(headers: Mapping[str, object]) -> RequestContext:
    """A context from message headers or metadata with any spelling of their names."""
    lower = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    return continue_context(lower.get(REQUEST_ID_HEADER.lower()), lower.get(TRACEPARENT_HEADER))


def current() -> RequestContext | None:
    return _current.get()


def set_current(context: RequestContext | None) -> None:
    """Bind for a protocol whose start and end are two separate hooks; prefer `bound`."""
    _current.set(context)


@contextmanager
def bound(context: RequestContext) -> Iterator[RequestContext]:
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
