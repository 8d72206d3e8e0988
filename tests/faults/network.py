"""A network of proxies between all parts, on which one part can be cut off from everybody, callers and called alike."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import psutil

from compose.local.paths import Instance
from compose.local.plan import load
from tests.proxy import Address, Proxy
from tests.services import free_port

# Nothing calls Valkey yet, so there is nothing to cut.
PORTS_OF = {
    "broker": ("BROKER_PORT",),
    "auth": ("AUTH_PORT",),
    "mailer": ("MAILER_PORT",),
    "logger": ("LOGGER_PORT", "LOGGER_RPC_PORT", "LOGGER_GRPC_PORT"),
    "mongo": ("MONGO_PORT",),
    "rabbitmq": ("RABBIT_PORT",),
    "postgres": ("POSTGRES_PORT",),
    "mailbox": ("MAILBOX_SMTP_PORT",),
}


class Callers:
    """Tells whether a local port belongs to one of some processes."""

    def __init__(self, pids: Collection[int]) -> None:
        self._pids = pids
        self._known: dict[int, bool] = {}
        self._lock = threading.Lock()

    def __call__(self, port: int) -> bool:
        with self._lock:
            if port not in self._known:
                self._known[port] = port in self._ports()
            return self._known[port]

    def _ports(self) -> set[int]:
        found = set()
        for pid in self._pids:
            with suppress(psutil.Error):
                found.update(each.laddr.port for each in psutil.Process(pid).net_connections("tcp"))
        return found


class Network:
    """Open it before the system starts and start the system `through` it."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._proxies: dict[str, Proxy] = {}
        self._ports: dict[str, int] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        for name in (name for names in PORTS_OF.values() for name in names):
            proxy = Proxy(lambda name=name: self._target(name), port=free_port())
            self._proxies[name] = self._exit.enter_context(proxy)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    @property
    def through(self) -> str:
        """For the runner's option of that name."""
        return ",".join(f"{name}={proxy.address[1]}" for name, proxy in self._proxies.items())

    def cut_off(self, parts: Collection[str], pids: Collection[int]) -> None:
        """Nothing reaches the parts and, since `pids` are their processes, nothing comes from them."""
        cut = {name for part in parts for name in PORTS_OF.get(part, ())}
        callers = Callers(pids)
        for name, proxy in self._proxies.items():
            if name in cut:
                proxy.cut()
            else:
                proxy.cut(callers)

    def restore(self) -> None:
        for proxy in self._proxies.values():
            proxy.restore()

    def _target(self, name: str) -> Address:
        """The port plan is written before the first part starts."""
        if not self._ports:
            self._ports = dict(load(self._instance).ports)
        return "127.0.0.1", self._ports[name]
