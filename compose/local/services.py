"""The services of this repository, started by the commands their users know."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from compose.local import probes
from compose.local.parts import Kind, Launch, Part
from compose.local.paths import PYTHON
from compose.local.site import Site


def _launch(command: tuple[str, ...], site: Site) -> Launch:
    return Launch((str(PYTHON), "-m", *command), site.values)


def _gunicorn(site: Site, name: str, *, needs: tuple[str, ...] = (), uses: tuple[str, ...] = ()) -> Part:
    port = site.ports[f"{name.upper()}_PORT"]
    command = ("gunicorn", "-c", f"{name}/gunicorn.conf.py", f"{name}.wsgi:app")
    return Part(
        name=name,
        kind=Kind.SERVICE,
        address=f"http://{site.host}:{port}",
        prepare=partial(_launch, command, site),
        probe=probes.readyz(site.host, port),
        needs=needs,
        uses=uses,
        grace=float(site.values["SHUTDOWN_GRACE"]) + 2,
        has_workers=True,
    )


def _worker(site: Site) -> Part:
    port = site.ports["WORKER_PORT"]
    options = ("--pool", "threads", "--without-gossip", "--without-mingle", "--loglevel", "INFO")
    return Part(
        name="worker",
        kind=Kind.SERVICE,
        address=f"http://{site.host}:{port}",
        prepare=partial(_launch, ("celery", "-A", "worker", "worker", *options), site),
        probe=probes.readyz(site.host, port),
        uses=("rabbitmq", "logger", "mailer"),
        grace=float(site.values["SHUTDOWN_GRACE"]) + 2,
    )


def _keeper(site: Site) -> Part:
    """What the log store needs done in the background."""
    port = site.ports["KEEPER_PORT"]
    return Part(
        name="keeper",
        kind=Kind.SERVICE,
        address=f"http://{site.host}:{port}",
        prepare=partial(_launch, ("logger", "keeper"), site),
        probe=probes.readyz(site.host, port),
        uses=("mongo",),
        grace=float(site.values["SHUTDOWN_GRACE"]) + 2,
    )


def _auth_setup(site: Site) -> Part:
    """Migrations and the development user; `auth` itself never changes its own schema."""
    return Part(
        name="auth-setup",
        kind=Kind.TASK,
        address="",
        prepare=partial(_launch, ("auth", "setup"), site),
        probe=probes.always,
        needs=("postgres",),
    )


def parts(site: Site) -> list[Part]:
    logger = _gunicorn(site, "logger", uses=("mongo",))
    address = f"{logger.address}  rpc :{site.ports['LOGGER_RPC_PORT']}  grpc :{site.ports['LOGGER_GRPC_PORT']}"
    return [
        _auth_setup(site),
        _gunicorn(site, "auth", needs=("auth-setup",), uses=("rabbitmq", "postgres", "valkey")),
        replace(logger, address=address),
        _keeper(site),
        _gunicorn(site, "mailer", uses=("mailbox", "postgres", "rabbitmq")),
        _worker(site),
        _gunicorn(site, "broker", uses=("auth", "logger", "mailer", "rabbitmq", "valkey")),
        _gunicorn(site, "frontend", uses=("broker",)),
    ]
