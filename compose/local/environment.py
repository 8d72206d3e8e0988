"""The variables every process of an instance gets: those of `.env.example`, with the addresses of the port plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from compose.local.paths import PYTHON, ROOT, Instance
from compose.local.ports import LOOPBACK, PORTS, PortPlan

EXAMPLE: Final = ROOT / ".env.example"
DOTENV: Final = ROOT / ".env"
_WILDCARDS: Final = {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}  # noqa: S104 - compared with, never bound
_PORT_NAMES: Final = frozenset(port.name for port in PORTS)


class DotenvError(ValueError):
    """A line of a dotenv file is not NAME=value."""


def read_dotenv(path: Path) -> dict[str, str]:
    """NAME=value lines; blank lines and lines that start with # are skipped, one pair of quotes is taken off."""
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ").lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise DotenvError(f"{path.name}, line {number}: expected NAME=value")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def wishes(instance: Instance, process: Mapping[str, str]) -> dict[str, str]:
    """What the person wants other than the example: from `.env`, then from the process environment.

    A value equal to the example's is no wish, so that a copied `.env` does not pin addresses when a port moves.
    Other instances than the development one read no `.env`, and nothing can point them to ports or addresses
    outside: a test must never reach the servers of a developer.
    """
    example = read_dotenv(EXAMPLE)
    found: dict[str, str] = {}
    if instance.is_dev and DOTENV.is_file():
        found.update(read_dotenv(DOTENV))
    found.update(process)
    pinned = {*addresses(_defaults(), ""), *_PORT_NAMES, *folders(instance)}
    names = set(example) if instance.is_dev else set(example) - pinned
    return {name: value for name, value in found.items() if name in names and value != example[name]}


def folders(instance: Instance) -> dict[str, str]:
    """The variables that name folders: each instance keeps what it must not lose beside its databases."""
    return {"SPOOL_DIR": str(instance.data / "spool")}


def _defaults() -> dict[str, int]:
    return {port.name: port.default for port in PORTS}


def reachable(bind_host: str) -> str:
    """The address under which this machine reaches a server that listens on `bind_host`."""
    return _WILDCARDS.get(bind_host, bind_host)


def service_values(
    ports: PortPlan, wished: Mapping[str, str], detours: Mapping[str, int] = MappingProxyType({})
) -> dict[str, str]:
    """Every variable of `.env.example` as the processes of this instance get it.

    `detours` names other ports than the servers' own to reach them at, such as those of a proxy that a test can cut.
    """
    example = read_dotenv(EXAMPLE)
    host = reachable(wished.get("BIND_HOST", example["BIND_HOST"]))
    numbers = {name: str(number) for name, number in ports.items()}
    return {**example, **numbers, **addresses(ports, host, detours), **wished}


def addresses(planned: PortPlan, host: str, detours: Mapping[str, int] = MappingProxyType({})) -> dict[str, str]:
    """The variables that follow from the ports."""
    ports = {**planned, **detours}
    # a replica set tells its clients its own address, which would lead them past the detour
    mongo_way = "directConnection=true" if "MONGO_PORT" in detours else "replicaSet=rs0"
    rabbit, mongo, postgres = ports["RABBIT_PORT"], ports["MONGO_PORT"], ports["POSTGRES_PORT"]
    browser = "localhost" if host == LOOPBACK else host
    console = ports["FRONTEND_PORT"]
    return {
        "AUTH_URL": f"http://{host}:{ports['AUTH_PORT']}",
        "LOGGER_URL": f"http://{host}:{ports['LOGGER_PORT']}",
        "LOGGER_RPC_ADDRESS": f"{host}:{ports['LOGGER_RPC_PORT']}",
        "LOGGER_GRPC_ADDRESS": f"{host}:{ports['LOGGER_GRPC_PORT']}",
        "MAILER_URL": f"http://{host}:{ports['MAILER_PORT']}",
        "RABBIT_URL": f"amqp://guest:guest@{LOOPBACK}:{rabbit}/",
        "MONGO_URL": f"mongodb://logger:password@{LOOPBACK}:{mongo}/logs?{mongo_way}&authSource=logs",
        "DSN": f"host={LOOPBACK} port={postgres} user=auth password=password dbname=users",
        "MAIL_HOST": LOOPBACK,
        "MAIL_PORT": str(ports["MAILBOX_SMTP_PORT"]),
        "CORS_ORIGINS": f"http://localhost:{console},http://127.0.0.1:{console}",
        "BROKER_URL": f"http://{browser}:{ports['BROKER_PORT']}",
        "MAILBOX_URL": f"http://{browser}:{ports['MAILBOX_PORT']}",
        "RABBIT_MANAGEMENT_URL": f"http://{browser}:{ports['RABBIT_MANAGEMENT_PORT']}",
    }


def printed_values(instance: Instance, ports: PortPlan, services: Mapping[str, str]) -> dict[str, str]:
    """What `env` prints: the variables of the services and the doors that only tools and tests use."""
    host = reachable(services["BIND_HOST"])
    return {
        **services,
        "FRONTEND_URL": f"http://{host}:{ports['FRONTEND_PORT']}",
        "WORKER_URL": f"http://{host}:{ports['WORKER_PORT']}",
        "KEEPER_URL": f"http://{host}:{ports['KEEPER_PORT']}",
        "POSTGRES_ADMIN_DSN": f"host={LOOPBACK} port={ports['POSTGRES_PORT']} "
        "user=postgres password=password dbname=postgres",
        "MONGO_ADMIN_URL": f"mongodb://admin:password@{LOOPBACK}:{ports['MONGO_PORT']}/"
        "?replicaSet=rs0&authSource=admin",
        "VALKEY_URL": f"redis://{LOOPBACK}:{ports['VALKEY_PORT']}/0",
        "STATE_DIR": str(instance.state),
        "PYTHON": str(PYTHON),
    }
