"""The proxy that cuts parts off: nothing is dropped, nothing passes while it is cut, and only those are cut who are meant."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress

import pytest

from tests.faults.network import Callers
from tests.proxy import Proxy
from tests.waiting import eventually


def _echo(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(1024):
            connection.sendall(data)


@pytest.fixture
def proxy():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_echo, args=(listener,), daemon=True)
        thread.start()
        with Proxy(listener.getsockname()) as opened:
            yield opened
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def connect(proxy):
    opened = []

    def connected() -> socket.socket:
        opened.append(socket.create_connection(proxy.address, timeout=5))
        return opened[-1]

    yield connected
    for each in opened:
        each.close()


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return connection.recv(1024)


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        return not connection.recv(1024)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def test_while_it_is_cut_nothing_passes_and_afterwards_everything_arrives(proxy, connect):
    old = connect()
    assert ask(old, b"1") == b"1"

    proxy.cut()
    new = connect()
    for connection in (old, new):
        connection.sendall(b"2")
        assert is_silent(connection)
    proxy.restore()

    assert [connection.recv(1024) for connection in (old, new)] == [b"2", b"2"]


def test_only_the_named_callers_are_cut_off(proxy, connect):
    one, other = connect(), connect()

    proxy.cut(lambda port: port == one.getsockname()[1])
    one.sendall(b"1")

    assert ask(other, b"2") == b"2"
    assert is_silent(one)


def test_the_end_of_one_side_is_passed_on_after_its_last_bytes(connect):
    connection = connect()
    connection.sendall(b"x" * 1000)
    connection.shutdown(socket.SHUT_WR)

    received = b""
    while data := connection.recv(4096):
        received += data

    assert received == b"x" * 1000


def test_a_server_that_is_away_ends_the_connection_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with Proxy(address) as proxy, socket.create_connection(proxy.address, timeout=5) as connection:
        assert connection.recv(1) == b""


def test_a_reset_ends_open_connections_and_lets_new_ones_in(proxy, connect):
    old = connect()
    assert ask(old, b"1") == b"1"

    proxy.reset()

    eventually(lambda: old.recv(1) == b"")
    assert ask(connect(), b"2") == b"2"


def test_callers_are_known_by_the_ports_of_their_processes(connect):
    port = connect().getsockname()[1]

    assert Callers([os.getpid()])(port)
    assert not Callers([os.getppid()])(port)
    assert not Callers([])(port)
