"""Cheap readiness questions in each server's own protocol; they raise OSError or ProbeError until it is ready."""

from __future__ import annotations

import asyncio
import json
import struct

from compose.local.parts import DegradedError, Probe, ProbeError

_TIMEOUT = 2.0
_LIMIT = 64 * 1024
_OP_MSG = 2013


async def _exchange(host: str, port: int, message: bytes, wanted: int) -> bytes:
    """Sends one message and reads what comes back first, or until the end when `wanted` is 0."""
    async with asyncio.timeout(_TIMEOUT):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(message)
            await writer.drain()
            return await (reader.read(wanted) if wanted else reader.read(_LIMIT))
        finally:
            writer.close()


def postgres(host: str, port: int) -> Probe:
    """Ready once the server asks for a password instead of saying that it is starting up."""
    body = struct.pack("!I", 196608) + b"user\x00postgres\x00database\x00postgres\x00\x00"
    startup = struct.pack("!I", len(body) + 4) + body

    async def ask() -> None:
        if await _exchange(host, port, startup, 1) != b"R":
            raise ProbeError("still starting up")

    return ask


def mongo(host: str, port: int) -> Probe:
    """Ready once the replica set of one has elected itself; see `mongo_answers` for the time before."""
    return _mongo(host, port, b"\x08isWritablePrimary\x00\x01", "no primary yet")


def mongo_answers(host: str, port: int) -> Probe:
    return _mongo(host, port, b"isWritablePrimary\x00", "no answer to hello")


def _mongo(host: str, port: int, needle: bytes, complaint: str) -> Probe:
    # {hello: 1, $db: "admin"} as a BSON document in an OP_MSG of the MongoDB wire protocol
    fields = b"\x10hello\x00\x01\x00\x00\x00" + b"\x02$db\x00\x06\x00\x00\x00admin\x00" + b"\x00"
    body = struct.pack("<I", 0) + b"\x00" + struct.pack("<i", len(fields) + 4) + fields
    message = struct.pack("<iiii", len(body) + 16, 1, 0, _OP_MSG) + body

    async def ask() -> None:
        if needle not in await _exchange(host, port, message, 4096):
            raise ProbeError(complaint)

    return ask


def valkey(host: str, port: int) -> Probe:
    async def ask() -> None:
        reply = await _exchange(host, port, b"PING\r\n", 32)
        if not reply.startswith(b"+PONG"):
            raise ProbeError(reply.decode("ascii", "replace").strip())

    return ask


def epmd(host: str, port: int) -> Probe:
    """Asks the port mapper for its names; a connection without a question is a line in its log each time."""

    async def ask() -> None:
        if len(await _exchange(host, port, b"\x00\x01n", 64)) < 4:
            raise ProbeError("no answer")

    return ask


def tcp(host: str, port: int) -> Probe:
    async def ask() -> None:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()

    return ask


def readyz(host: str, port: int) -> Probe:
    """Ready when /readyz answers 200 and does not call itself degraded."""
    request = f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def ask() -> None:
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                await writer.drain()
                reply = await reader.read()
            finally:
                writer.close()
        _judge(reply)

    return ask


def _judge(reply: bytes) -> None:
    head, _, body = reply.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")[1:2]
    if status != [b"200"]:
        raise ProbeError(f"/readyz says {b''.join(status).decode('ascii', 'replace') or 'nothing'}: {_excerpt(body)}")
    try:
        report = json.loads(body[body.find(b"{") : body.rfind(b"}") + 1])
        degraded = bool(report.get("degraded"))
    except (ValueError, AttributeError) as error:
        raise ProbeError(f"/readyz is no JSON object: {_excerpt(body)}") from error
    if degraded:
        raise DegradedError(_missing(report.get("checks")) or _excerpt(body))


def _missing(checks: object) -> str:
    """The names of the checks that do not say `up`."""
    if not isinstance(checks, dict):
        return ""
    down = [name for name, check in checks.items() if isinstance(check, dict) and check.get("status") != "up"]
    return f"without {', '.join(down)}" if down else ""


def _excerpt(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:160]


async def always() -> None:
    """For tasks, which are done when they end."""
