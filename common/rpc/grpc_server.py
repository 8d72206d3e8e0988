"""A gRPC server with request identity, one error table, health and reflection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from common import context
from common.errors import BUG_MESSAGE, AppError, Kind, MalformedError
from common.rpc.grpc_client import MAX_MESSAGE

log = logging.getLogger("request")

STATUS: dict[Kind, grpc.StatusCode] = {
    Kind.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.UNSUPPORTED: grpc.StatusCode.UNIMPLEMENTED,
    Kind.CONFLICT: grpc.StatusCode.ALREADY_EXISTS,
    Kind.TOO_MANY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.BAD_REPLY: grpc.StatusCode.UNAVAILABLE,
    Kind.BUG: grpc.StatusCode.INTERNAL,
}

# Health and reflection calls come every few seconds and say nothing new.
_QUIET = ("/grpc.health.", "/grpc.reflection.")


class _Unreadable:
    """Stands for a request whose bytes are not the message they should be."""


def _safe_deserializer(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """GRPC answers a failing deserializer with INTERNAL; the fault is the caller's, so the handler answers instead."""

    def read(data: bytes) -> Any:  # noqa: ANN401 - a message or the stand-in
        try:
            return deserialize(data)
        except Exception:  # noqa: BLE001 - protobuf raises its own and ValueError
            return _Unreadable()

    return read


class ServerInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic only in the stubs
    """Binds the caller's identity, turns errors into statuses and writes one log line per call.

    For calls with one answer, to one request or to a stream of them, and for those that answer one request with a stream; others pass
    through untouched.
    """

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:  # noqa: ANN401 - grpc's handler type is private
        handler = continuation(handler_call_details)
        method: str = handler_call_details.method
        both = handler is not None and handler.response_streaming and handler.request_streaming
        if handler is None or both or method.startswith(_QUIET):
            return handler
        metadata = dict(handler_call_details.invocation_metadata)
        if handler.response_streaming:
            return _streaming(handler, context.from_headers(metadata), method)
        streaming = handler.request_streaming
        answer = handler.stream_unary if streaming else handler.unary_unary
        readable = _readable_stream if streaming else _readable

        def behaviour(request: Any, call: grpc.ServicerContext) -> Any:  # noqa: ANN401 - any message, or a stream
            with context.bound(context.from_headers(metadata)):
                return _answer(lambda: answer(readable(request), call), call, method)

        wrap = grpc.stream_unary_rpc_method_handler if streaming else grpc.unary_unary_rpc_method_handler
        return wrap(
            behaviour,
            request_deserializer=_safe_deserializer(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )


def _streaming(handler: Any, bound: context.RequestContext, method: str) -> Any:  # noqa: ANN401 - grpc's handler type is private
    def behaviour(request: Any, call: grpc.ServicerContext) -> Iterator[Any]:  # noqa: ANN401 - any message
        return _answers(lambda: handler.unary_stream(_readable(request), call), call, bound, method)

    return grpc.unary_stream_rpc_method_handler(
        behaviour,
        request_deserializer=_safe_deserializer(handler.request_deserializer),
        response_serializer=handler.response_serializer,
    )


def _readable(request: Any) -> Any:  # noqa: ANN401 - any message
    if isinstance(request, _Unreadable):
        raise MalformedError("request is not a valid message")
    return request


def _readable_stream(requests: Iterator[Any]) -> Iterator[Any]:
    return map(_readable, requests)


def _answer(work: Callable[[], Any], call: grpc.ServicerContext, method: str) -> Any:  # noqa: ANN401 - any message
    started = time.perf_counter()
    code, message, reply = grpc.StatusCode.OK, "", None
    try:
        reply = work()
    except AppError as error:
        code, message = STATUS[error.kind], error.message
    except Exception:
        if not call.is_active():
            # the client is gone, which ends its stream with an error of grpc's own
            code, message = grpc.StatusCode.CANCELLED, "client is gone"
        else:
            code, message = grpc.StatusCode.INTERNAL, BUG_MESSAGE
            log.exception("call_failed", extra={"method": method})
    duration = round((time.perf_counter() - started) * 1000, 2)
    log.info("call_served", extra={"method": method, "code": code.name, "duration_ms": duration})
    if code is not grpc.StatusCode.OK:
        call.abort(code, message)
    return reply


def _answers(
    work: Callable[[], Iterator[Any]], call: grpc.ServicerContext, bound: context.RequestContext, method: str
) -> Iterator[Any]:
    """As `_answer`, for a stream. The identity is bound for the line alone: a stream may be ended by another thread than it ran in."""
    started = time.perf_counter()
    code, message = grpc.StatusCode.CANCELLED, "client is gone"
    try:
        yield from work()
        code = grpc.StatusCode.OK if call.is_active() else code
    except AppError as error:
        code, message = STATUS[error.kind], error.message
    except Exception:
        if call.is_active():
            code, message = grpc.StatusCode.INTERNAL, BUG_MESSAGE
            with context.bound(bound):
                log.exception("call_failed", extra={"method": method})
    finally:
        duration = round((time.perf_counter() - started) * 1000, 2)
        with context.bound(bound):
            log.info("call_served", extra={"method": method, "code": code.name, "duration_ms": duration})
    if code not in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED):
        call.abort(code, message)


@dataclass(slots=True)
class GrpcServer:
    """A running server; its health says SERVING until told otherwise or until `stop`, which lets calls in flight finish."""

    server: grpc.Server
    health: health.HealthServicer
    grace: float

    def start(self) -> None:
        self.server.start()

    def set_serving(self, service: str, *, serving: bool) -> None:
        """What health says about `service` from now on; whoever watches it is told of a change."""
        status = health_pb2.HealthCheckResponse
        self.health.set(service, status.SERVING if serving else status.NOT_SERVING)

    def stop(self) -> None:
        """Answers NOT_SERVING at once, refuses new calls, waits up to half of `grace` (seconds) for running ones."""
        self.health.enter_graceful_shutdown()
        # an open health Watch never ends by itself; what stands on this server needs a share of the time, too
        self.server.stop(self.grace / 2).wait(self.grace / 2 + 1)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """`grace` is in seconds. `shared`: several processes of one service may bind the port, and the kernel spreads the connections.

    Unless it is set a second process fails to bind: gRPC's own default shares every port without a word.
    """

    threads: int
    grace: float
    shared: bool = False


def build_server(
    address: str, *, register: Callable[[grpc.Server], object], services: Sequence[str], options: ServerOptions
) -> GrpcServer:
    """A server bound to `address`, not started.

    `services` are full names for health and reflection. Raises RuntimeError when the port is taken.
    """
    server = grpc.server(
        ThreadPoolExecutor(max_workers=options.threads, thread_name_prefix="grpc"),
        interceptors=[ServerInterceptor()],
        options=[
            ("grpc.so_reuseport", int(options.shared)),
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_send_message_length", MAX_MESSAGE),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ],
    )
    register(server)
    servicer = health.HealthServicer(experimental_non_blocking=True)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in ("", *services):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    server.add_insecure_port(address)
    return GrpcServer(server, servicer, options.grace)
