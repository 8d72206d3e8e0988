"""A gRPC channel to one service; every call with a deadline and the request's identity."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import grpc

from common import context
from common.errors import (
    AppError,
    BadReplyError,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)

# What the far side says about our request is for the caller to read; everything else is told in our own words.
_SPOKEN: dict[grpc.StatusCode, type[AppError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: ForbiddenError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: ConflictError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooManyError,
}

_OPTIONS = [
    # After a restart of the far side the default back-off grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
]

Reply_co = TypeVar("Reply_co", covariant=True)


class UnaryCall(Protocol[Reply_co]):
    def __call__(self, request: Any, /, *, timeout: float, metadata: Any) -> Reply_co: ...  # noqa: ANN401 - any message


class GrpcClient:
    """Calls to the service called `name` at `address` (host:port), each within `timeout` seconds."""

    def __init__(self, name: str, address: str, *, timeout: float) -> None:
        """Build after the fork: a channel owns threads, and none of them survives in a child process."""
        self.name = name
        self.channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._timeout = timeout

    def call(self, method: UnaryCall[Reply_co], request: object, *, timeout: float | None = None) -> Reply_co:
        """The reply. Raises one of our own errors for every failure; an unknown outcome is a DeadlineError."""
        bound = context.current()
        try:
            return method(request, timeout=timeout or self._timeout, metadata=bound.metadata() if bound else ())
        except grpc.RpcError as error:
            raise self._translated(error) from error

    def _translated(self, error: grpc.RpcError) -> AppError:
        code = error.code()
        if code in _SPOKEN:
            return _SPOKEN[code](error.details() or f"{self.name} refused the request")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineError(f"{self.name} did not answer in time")
        if code is grpc.StatusCode.UNAVAILABLE:
            return UnavailableError(f"{self.name} cannot be reached")
        return BadReplyError(f"{self.name} could not handle the request")

    def close(self) -> None:
        self.channel.close()
