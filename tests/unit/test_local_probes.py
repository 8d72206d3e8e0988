"""Readiness is asked in each server's own protocol; the answers here come from a stand-in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from compose.local import probes
from compose.local.parts import DegradedError, Probe, ProbeError


def asked(make: Callable[[str, int], Probe], reply: bytes) -> None:
    """Asks a server that answers everything with `reply`."""
    answered: asyncio.Event

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(reply)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        answered.set()

    async def run() -> None:
        nonlocal answered
        answered = asyncio.Event()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            try:
                await make("127.0.0.1", port)()
            finally:
                await asyncio.wait_for(answered.wait(), 5)

    asyncio.run(run())


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("probe", "reply"),
    [
        (probes.postgres, b"R\x00\x00\x00\x17"),
        (probes.mongo, b"....\x08isWritablePrimary\x00\x01...."),
        (probes.mongo_answers, b"....\x08isWritablePrimary\x00\x00...."),
        (probes.valkey, b"+PONG\r\n"),
        (probes.tcp, b""),
        (probes.readyz, http("200 OK", '{"status":"ready","degraded":false}')),
    ],
)
def test_a_ready_server_is_recognised(probe, reply):
    asked(probe, reply)


@pytest.mark.parametrize(
    ("probe", "reply"),
    [
        (probes.postgres, b"E\x00\x00\x00\x17"),
        (probes.mongo, b"....\x08isWritablePrimary\x00\x00...."),
        (probes.mongo, b""),
        (probes.valkey, b"-LOADING\r\n"),
        (probes.readyz, http("503 Service Unavailable", '{"status":"starting"}')),
        (probes.readyz, http("200 OK", "fine")),
        (probes.readyz, http("200 OK", "[]")),
        (probes.readyz, b""),
        (probes.readyz, b"\x00\xff\x00"),
    ],
)
def test_a_server_that_is_not_ready_is_not_taken_for_one(probe, reply):
    with pytest.raises(ProbeError):
        asked(probe, reply)


def test_a_degraded_service_is_told_apart_and_names_what_it_misses():
    body = '{"status":"ready","degraded":true,"checks":{"auth":{"status":"down"},"logger":{"status":"up"}}}'

    with pytest.raises(DegradedError, match=r"^without auth$"):
        asked(probes.readyz, http("200 OK", body))


def test_nobody_listening_is_an_os_error():
    with pytest.raises(OSError, match="Connect call failed"):
        asyncio.run(probes.tcp("127.0.0.1", 9)())
