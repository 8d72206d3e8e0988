"""The composition root of the authentication service."""

from __future__ import annotations

from flask import Flask

from auth.gate import gate_for
from auth.passwords import BcryptPasswords
from auth.ports import Store
from auth.postgres.store import PostgresStore
from auth.routes import login_blueprint
from auth.service import Authentication
from auth.settings import AuthSettings
from common.amqp.publisher import Publisher
from common.clock import SystemClock
from common.lifecycle import Lifecycle
from common.outbox import OutboxRelay
from common.postgres import create_postgres
from common.web.app import create_flask
from common.web.health import Check
from protos.topics import LOGS


def create_app(settings: AuthSettings, *, store: Store | None = None) -> Flask:
    """Nothing connects before the first request or the lifecycle's start. `store` replaces PostgreSQL in tests."""
    lifecycle = Lifecycle()
    checks: dict[str, Check] = {}
    if store is None:
        store = _postgres_store(settings, lifecycle, checks)
    passwords = BcryptPasswords(cost=settings.bcrypt_cost, gate=gate_for(settings.auth_threads))
    app = create_flask("auth", checks=checks, lifecycle=lifecycle)
    app.register_blueprint(login_blueprint(Authentication(store, passwords)))
    return app


def _postgres_store(settings: AuthSettings, lifecycle: Lifecycle, checks: dict[str, Check]) -> PostgresStore:
    """A login needs PostgreSQL only: its event waits in the outbox while RabbitMQ is away."""
    engine = create_postgres(settings.dsn)
    publisher = Publisher(settings.rabbit_url, LOGS)
    relay = OutboxRelay(engine, publisher, app_id="auth")
    store = PostgresStore(engine, SystemClock(), on_events=relay.notify)
    lifecycle.add("postgres", stop=engine.dispose)
    lifecycle.add("publisher", start=publisher.start, stop=publisher.stop)
    lifecycle.add("outbox", start=relay.start, stop=relay.stop)
    checks["postgres"] = Check(store.check)
    checks["rabbitmq"] = Check(publisher.check, critical=False)
    return store
