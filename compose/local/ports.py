"""The port plan: which part listens where, and a free block of ports for an instance beside the development one."""

from __future__ import annotations

import errno
import os
import random
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below 32768: above it the kernel hands ports to outgoing connections, and a listener may find its port in use.
EPHEMERAL_FROM: Final = 32768
_BASES: Final = range(20000, 31900, 50)
_BIND_TRIES: Final = 5
_BIND_PAUSE: Final = 0.2

PortPlan = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Port:
    """`name` is also the environment variable that moves it."""

    name: str
    default: int
    part: str
    public: bool = False


PORTS: Final = (
    Port("BROKER_PORT", 8080, "broker", public=True),
    Port("AUTH_PORT", 8081, "auth", public=True),
    Port("FRONTEND_PORT", 8082, "frontend", public=True),
    Port("MAILER_PORT", 8083, "mailer", public=True),
    Port("LOGGER_PORT", 8084, "logger", public=True),
    Port("LOGGER_RPC_PORT", 5001, "logger", public=True),
    Port("LOGGER_GRPC_PORT", 50001, "logger", public=True),
    Port("WORKER_PORT", 8085, "worker", public=True),
    Port("KEEPER_PORT", 8086, "keeper", public=True),
    Port("POSTGRES_PORT", 17432, "postgres"),
    Port("MONGO_PORT", 17017, "mongo"),
    Port("RABBIT_PORT", 17672, "rabbitmq"),
    Port("RABBIT_DIST_PORT", 17673, "rabbitmq"),
    Port("RABBIT_MANAGEMENT_PORT", 15672, "rabbitmq"),
    Port("EPMD_PORT", 17369, "epmd"),
    Port("VALKEY_PORT", 17379, "valkey"),
    Port("MAILBOX_SMTP_PORT", 1025, "mailbox"),
    Port("MAILBOX_PORT", 8025, "mailbox"),
)


class PortError(Exception):
    """A port cannot be used; the message is meant for the person at the terminal."""


class NoFreePortsError(PortError):
    """Every block of ports is in use."""


def chosen(wishes: Mapping[str, str]) -> dict[str, int]:
    """The default ports, moved where `wishes` names another number. Raises PortError."""
    plan = {port.name: _number(port, wishes.get(port.name, "")) for port in PORTS}
    seen: dict[int, str] = {}
    for name, number in plan.items():
        if number in seen:
            raise PortError(f"{name} and {seen[number]} are both {number}; give one of them another port")
        seen[number] = name
    return plan


def _number(port: Port, wish: str) -> int:
    if not wish:
        return port.default
    if not wish.isascii() or not wish.isdecimal() or not 1 <= int(wish) <= 65535:
        raise PortError(f"{port.name}={wish} is no port number")
    return int(wish)


def detours(words: Iterable[str]) -> dict[str, int]:
    """Other ports to reach servers at, from words such as MONGO_PORT=12001. Raises PortError."""
    known = {port.name: port for port in PORTS}
    found = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in known or not number:
            raise PortError(f"{word}: expected the name of a port, an equals sign and a number")
        found[name] = _number(known[name], number)
    return found


def free_block() -> tuple[dict[str, int], int]:
    """A free block and the descriptor of its lock: whoever keeps it open owns the block. Raises NoFreePortsError."""
    bases = list(_BASES)
    random.shuffle(bases)
    for base in bases:
        lock = _lock_base(base)
        if lock is None:
            continue
        plan = {port.name: base + offset for offset, port in enumerate(PORTS)}
        if all(is_free(LOOPBACK, number) for number in plan.values()):
            return plan, lock
        os.close(lock)
    raise NoFreePortsError(f"no free block of ports between {_BASES.start} and {_BASES.stop}")


def _lock_base(base: int) -> int | None:
    """A name in Linux's abstract socket space: it belongs to one process of any user, and goes with its descriptor."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0microservices-ports-{base}")
    except OSError:
        name.close()
        return None
    return name.detach()


def is_free(host: str, number: int) -> bool:
    """Tries a few times where a port lies in the ephemeral range: a passing outgoing connection may hold it."""
    for _ in range(_BIND_TRIES if number >= EPHEMERAL_FROM else 1):
        if _binds(host, number):
            return True
        if number >= EPHEMERAL_FROM:
            time.sleep(_BIND_PAUSE)
    return False


def _binds(host: str, number: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise PortError(f"port {number} may only be opened by root") from error
            return error.errno != errno.EADDRINUSE
    return True


def clashes(plan: PortPlan, parts: Iterable[str], host: str) -> list[Port]:
    """The ports of `parts` that somebody else holds."""
    wanted = set(parts)
    mine = [port for port in PORTS if port.part in wanted]
    try:
        return [port for port in mine if not is_free(host if port.public else LOOPBACK, plan[port.name])]
    except PortError as error:
        names = ", ".join(port.name for port in mine if plan[port.name] < 1024)
        raise PortError(f"{error}: choose one above 1023 for {names}") from error
