"""Who may share a port: the processes of one service, and no second instance of it."""

from __future__ import annotations

import runpy
import socket
import threading
from collections.abc import Iterator

import pytest

from common.web.gunicorn import claiming
from tests.services import free_port
from tests.system import ROOT

HOST = "127.0.0.1"


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """A listener of somebody who would share its port."""
    with socket.create_server((HOST, free_port()), reuse_port=True) as listener:
        yield listener


def test_a_second_instance_is_refused_while_any_of_the_ports_is_in_use(held):
    claim = claiming(HOST, (free_port(), held.getsockname()[1]), seconds=0.3)

    with pytest.raises(OSError, match="in use"):
        claim(None)


def test_an_instance_waits_for_the_one_before_it_and_leaves_the_port_to_its_processes(held):
    port = held.getsockname()[1]
    closing = threading.Timer(0.3, held.close)
    closing.start()

    claiming(HOST, (port,), seconds=20)(None)

    closing.join()
    socket.create_server((HOST, port), reuse_port=True).close()


@pytest.mark.parametrize("name", ["LOGGER_GRPC_PORT", "LOGGER_RPC_PORT"])
def test_the_log_stores_master_looks_at_both_ports_that_its_processes_share(monkeypatch, held, name):
    for port in ("LOGGER_GRPC_PORT", "LOGGER_RPC_PORT"):
        monkeypatch.setenv(port, str(free_port()))
    monkeypatch.setenv(name, str(held.getsockname()[1]))
    monkeypatch.setenv("SHUTDOWN_GRACE", "-2")
    configuration = runpy.run_path(str(ROOT / "logger" / "gunicorn.conf.py"))

    with pytest.raises(OSError, match="in use"):
        configuration["on_starting"](None)
