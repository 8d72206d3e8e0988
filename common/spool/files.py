"""File operations that are durable when they return. Each raises OSError."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def aside(call: Callable[[], T]) -> T:
    """The result of `call`, which waits for a disk: where requests are greenlets it runs in a real thread, so that no other request waits."""
    gevent = sys.modules.get("gevent")
    if gevent is None or not gevent.monkey.is_module_patched("threading"):
        return call()
    result: T = gevent.get_hub().threadpool.apply(call)
    return result


def write_through(descriptor: int, data: bytes, offset: int) -> None:
    """Returns when `data` is on the disk."""

    def write() -> None:
        view, position = memoryview(data), offset
        while view:
            written = os.pwrite(descriptor, view, position)
            view, position = view[written:], position + written
        os.fdatasync(descriptor)

    aside(write)


def create(path: Path) -> int:
    """A descriptor of a new file whose name is on the disk. Raises FileExistsError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        sync_folder(path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def replace(path: Path, data: bytes) -> None:
    """The file holds either what it held before or `data`, whatever happens meanwhile."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        write_through(descriptor, data, 0)
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        write_through(descriptor, data, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def cut(path: Path, size: int) -> None:
    """What lies behind `size` bytes is gone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        aside(lambda: os.fdatasync(descriptor))
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        aside(lambda: os.fsync(descriptor))
    finally:
        os.close(descriptor)
