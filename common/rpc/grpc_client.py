"""A gRPC channel to one service; every call with a deadline and the request's identity."""

from __future__ import annotations

import re
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
    UnsupportedError,
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

# On both sides: twice the largest bulk body, for what protobuf and the services add to it.
MAX_MESSAGE = 8 * 1024 * 1024

# The words of grpc's own transport (gRPC core, chttp2) for a connection that was lost while a call was under way. The far side's own
# UNAVAILABLE carries the same status and nothing else to tell them apart by.
_LOST = re.compile(
    r"stream removed|socket closed|connection reset|broken pipe|recvmsg|sendmsg|goaway|keepalive|ping timeout|too many pings"
    r"|transport|endpoint|shutting down|cancelling|connection closed",
    re.IGNORECASE,
)
_NEVER_SENT = re.compile(r"failed to connect|dns resolution|name resolution", re.IGNORECASE)

_OPTIONS = [
    # After a restart of the far side the default back-off grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
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
        code, details = error.code(), error.details() or ""
        if code in _SPOKEN:
            return _SPOKEN[code](details or f"{self.name} refused the request")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineError(f"{self.name} did not answer in time")
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return UnsupportedError(f"{self.name} does not know this call")
        if code is grpc.StatusCode.CANCELLED or _hung_up(code, details):
            return DeadlineError(f"{self.name} hung up before it answered")
        if code is grpc.StatusCode.UNAVAILABLE:
            return UnavailableError(f"{self.name} cannot be reached")
        return BadReplyError(f"{self.name} could not handle the request")

    def close(self) -> None:
        self.channel.close()


def _hung_up(code: grpc.StatusCode, details: str) -> bool:
    """Whether the call may have been carried out though no answer came."""
    if code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL):
        return False
    return not _NEVER_SENT.search(details) and _LOST.search(details) is not None
