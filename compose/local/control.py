"""The supervisor's socket: one JSON object a line in, one out. Only the same user can reach it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from compose.local.paths import Instance

Reply = dict[str, Any]
Handler = Callable[[Reply], Awaitable[Reply]]
_TIMEOUT = 120.0
_NAME = "control.sock"


class NotRunningError(Exception):
    """No supervisor answers."""


@contextmanager
def _short_path(instance: Instance) -> Iterator[str]:
    """A socket's path may have 107 bytes; a folder may lie deeper, so it is named by a descriptor."""
    folder = os.open(instance.run, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{_NAME}"
    finally:
        os.close(folder)


async def serve(instance: Instance, handler: Handler) -> asyncio.Server:
    (instance.run / _NAME).unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            reply = await handler(json.loads(line)) if line else {}
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()

    with _short_path(instance) as path:
        door = socket.socket(socket.AF_UNIX)
        door.bind(path)
    (instance.run / _NAME).chmod(0o600)
    return await asyncio.start_unix_server(answer, sock=door)


def ask(instance: Instance, operation: str, **arguments: object) -> Reply:
    """One question to the supervisor. Raises NotRunningError."""
    request = json.dumps({"op": operation, **arguments}).encode() + b"\n"
    try:
        with _short_path(instance) as path, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_TIMEOUT)
            line.connect(path)
            line.sendall(request)
            with line.makefile("rb") as reader:
                reply = reader.readline()
    except OSError as error:
        raise NotRunningError(instance.name) from error
    if not reply:
        raise NotRunningError(instance.name)
    answer: Reply = json.loads(reply)
    return answer
