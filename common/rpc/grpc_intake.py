"""Takes the messages of a gRPC client stream in batches, while it runs, in bounded memory.

A thread of its own reads, so that a slow client's messages do not wait for the ones it has not sent yet. It reads on only while there is
room; HTTP/2's flow control then holds the client back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar


class Message(Protocol):
    def ByteSize(self) -> int: ...  # noqa: N802 - protobuf's name


M = TypeVar("M", bound=Message)


class Intake(Generic[M]):
    """Iterate to get batches, each when it is full or `seconds` after its first message was there to take.

    A batch has at most `max_items` messages and, but for its last message, `max_bytes`; one batch more may wait behind it. What the
    stream itself raises is raised after the messages before it.
    """

    def __init__(self, messages: Iterator[M], *, max_items: int, max_bytes: int, seconds: float) -> None:
        self._messages = messages
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._batch: list[M] = []
        self._bytes = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="grpc-intake", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The reader ends with the call at the latest: grpc ends the iterator then."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    def __iter__(self) -> Iterator[list[M]]:
        while batch := self._take():
            yield batch
        if self._failure is not None:
            raise self._failure

    @property
    def _full(self) -> bool:
        return len(self._batch) >= self._max_items or self._bytes >= self._max_bytes

    def _take(self) -> list[M]:
        """The next batch; empty when the stream has ended."""
        with self._change:
            self._change.wait_for(lambda: self._batch or self._ended)
            self._change.wait_for(lambda: self._full or self._ended, self._seconds)
            batch, self._batch, self._bytes = self._batch, [], 0
            self._change.notify_all()
            return batch

    def _read(self) -> None:
        failure: BaseException | None = None
        try:
            for message in self._messages:
                if not self._put(message):
                    break
        except BaseException as error:  # noqa: BLE001 - whatever ended the stream is told to the one who iterates
            failure = error
        with self._change:
            self._failure, self._ended = failure, True
            self._change.notify_all()

    def _put(self, message: M) -> bool:
        """False when nobody takes messages any more."""
        size = message.ByteSize()
        with self._change:
            self._change.wait_for(lambda: not self._full or self._ended)
            if self._ended:
                return False
            self._batch.append(message)
            self._bytes += size
            if len(self._batch) == 1 or self._full:
                self._change.notify_all()
            return True
