"""The composition root of the gateway."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request
from flask_cors import cross_origin

from broker.clients.auth import AuthClient
from broker.clients.local_spool import LocalSpool
from broker.clients.log_events import LogEvents
from broker.clients.logger_grpc import LoggerGrpcDoor
from broker.clients.logger_http import LoggerHttpDoor
from broker.clients.logger_rpc import LoggerRpcDoor
from broker.clients.mailer import MailerClient
from broker.delivery import FallbackDelivery, Way
from broker.domain import Via
from broker.guarded_door import GuardedDoor
from broker.ports import LogDoor
from broker.routes.export import export_blueprint
from broker.routes.legacy import legacy_blueprint
from broker.routes.logs import logs_blueprint
from broker.routes.reading import reading_blueprint
from broker.routes.tail import tail_blueprint
from broker.service import BrokerService
from broker.settings import BrokerSettings
from common.amqp.publisher import Publisher
from common.combining import MIB, Limits
from common.errors import UnavailableError
from common.lifecycle import Lifecycle
from common.rpc.grpc_client import GrpcClient
from common.rpc.jsonrpc_client import JsonRpcClient
from common.spool.spool import Spool
from common.web.app import create_flask
from common.web.bulk import STORED_HEADER
from common.web.client import JsonClient
from common.web.health import Check
from common.web.stream_client import StreamClient
from protos.limits import MAX_ENTRIES
from protos.topics import LOGS

PROBE_SECONDS = 1.5
# A stream of events says at least every 15 s that it is still there.
STREAM_SILENCE_SECONDS = 40.0
# Calls under way at a time, and entries in each. A caller whose protocol is slow, though not silent, waits for five seconds.
_ROOM = 96 * MIB
LIMITS = {
    # a request of the HTTP client, and a call of Python's gRPC, cost as much as thirty entries
    Via.HTTP: Limits(lanes=1, linger=0.003, max_batch=500, max_pending_bytes=_ROOM, timeout=5.0),
    Via.RPC: Limits(lanes=2, max_batch=500, max_pending_bytes=_ROOM, timeout=5.0),
    Via.GRPC: Limits(lanes=1, linger=0.003, max_batch=MAX_ENTRIES, max_pending_bytes=_ROOM, timeout=5.0),
}


def create_app(settings: BrokerSettings, *, service: BrokerService | None = None) -> Flask:
    """`service` replaces everything behind the gateway in tests. Runs after the fork; nothing connects before it is used."""
    lifecycle = Lifecycle()
    checks: dict[str, Check] = {}
    if service is None:
        service = _connected_service(settings, lifecycle, checks)
    app = create_flask("broker", checks=checks, lifecycle=lifecycle)
    app.register_blueprint(legacy_blueprint(service))
    app.register_blueprint(logs_blueprint(service))
    app.register_blueprint(reading_blueprint(service))
    streams = _streams(settings)
    app.register_blueprint(tail_blueprint(streams))
    app.register_blueprint(export_blueprint(streams))
    _allow_origins(app, settings.origins)
    return app


def _connected_service(settings: BrokerSettings, lifecycle: Lifecycle, checks: dict[str, Check]) -> BrokerService:
    auth = JsonClient("auth", settings.auth_url, timeout=settings.http_timeout)
    mailer = JsonClient("mailer", settings.mailer_url, timeout=settings.http_timeout)
    logger = JsonClient("logger", settings.logger_url, timeout=settings.http_timeout)
    # none is critical: whatever is down, the rest of the gateway goes on answering
    checks |= {client.name: Check(_answers(client), critical=False) for client in (auth, mailer, logger)}
    http_door = LoggerHttpDoor(logger, write_timeout=settings.rpc_timeout)
    return BrokerService(
        auth=AuthClient(auth),
        mail=MailerClient(mailer),
        delivery=_delivery(settings, http_door, lifecycle, checks),
        reader=http_door,
    )


def _delivery(
    settings: BrokerSettings, http_door: LoggerHttpDoor, lifecycle: Lifecycle, checks: dict[str, Check]
) -> FallbackDelivery:
    """The protocols, each with what stands in for it: the message queue for the log store, the spool for both."""
    rpc = JsonRpcClient("logger", settings.logger_rpc_address, timeout=settings.rpc_timeout)
    grpc = GrpcClient("logger", settings.logger_grpc_address, timeout=settings.grpc_timeout)
    publisher = Publisher(settings.rabbit_url, LOGS, timeout=settings.publish_timeout)
    lifecycle.add("grpc", stop=grpc.close)
    lifecycle.add("rpc", stop=rpc.close)
    lifecycle.add("publisher", start=publisher.start, stop=publisher.stop)
    checks["rabbitmq"] = Check(publisher.check, critical=False)
    events = LogEvents(publisher, patience=settings.log_patience)
    rpc_door = LoggerRpcDoor(rpc)
    doors: dict[Via, LogDoor] = {Via.HTTP: http_door, Via.RPC: rpc_door, Via.GRPC: LoggerGrpcDoor(grpc)}
    patience = settings.log_patience
    guarded = {via: GuardedDoor(via, door, patience=patience, limits=LIMITS[via]) for via, door in doors.items()}
    queue = GuardedDoor(Via.AMQP, events, patience=patience)
    # each process has a slot of its own, and its share of the room
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_bytes // settings.broker_workers)
    local = LocalSpool(spool, [events, rpc_door])
    lifecycle.add("spool", start=local.start, stop=local.stop)
    checks["spool"] = Check(spool.check, critical=False)
    for via, door in guarded.items():
        lifecycle.add(f"door-{via}", start=door.start, stop=door.stop)
    ways: dict[Via, list[Way]] = {via: [door, queue, local] for via, door in guarded.items()}
    return FallbackDelivery({**ways, Via.AMQP: [queue, guarded[Via.RPC], local]})


def _streams(settings: BrokerSettings) -> StreamClient:
    return StreamClient("logger", settings.logger_url, timeout=settings.http_timeout, silence=STREAM_SILENCE_SECONDS)


def _answers(client: JsonClient) -> Callable[[], None]:
    def probe() -> None:
        # a service of the Go original has no readiness and says 404: it answers, so it is up
        if client.get("/readyz", timeout=PROBE_SECONDS).status >= 500:
            raise UnavailableError("unready")

    return probe


def _allow_origins(app: Flask, origins: list[str]) -> None:
    """The Go original reflects any origin together with credentials; here an origin must be on the list for that."""
    answer = cross_origin(
        origins=origins,
        methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=[
            "Accept",
            "Authorization",
            "Content-Type",
            "X-CSRF-Token",
            "X-Request-Id",
            "Idempotency-Key",
            "Last-Event-ID",
            "traceparent",
        ],
        expose_headers=["Link", "Location", "Retry-After", STORED_HEADER, "X-Request-Id", "X-Trace-Id"],
        always_send=False,
        supports_credentials="*" not in origins,
        max_age=300,
        # Flask answers OPTIONS as for every route; what is decorated here is no view, but the end of all of them, failures included
        automatic_options=False,
    )(_same)

    @app.after_request
    def allow(response: Response) -> Response:
        # a program names no origin, and looking through all this for it would cost a tenth of its request
        return answer(response) if "HTTP_ORIGIN" in request.environ else response


def _same(response: Response) -> Response:
    return response
