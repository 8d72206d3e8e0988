"""Writers on the TCP port: JSON-RPC with calls in flight together, its bulk method, and gob."""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import orjson

from common.rpc import gob, jsonrpc
from common.rpc.calls import GoStruct, StreamError
from tests.faults.doors import SECONDS, Door, FailedCallError, Refused, Told
from tests.faults.ledger import Entry

METHOD, BULK_METHOD = "RPCServer.LogInfo", "RPCServer.LogBatch"
PAYLOAD = GoStruct("main.RPCPayload", ("Name", "Data"), extras=("ID",))
# how the texts of an honest "not now" begin
HONEST_REFUSALS = ("too many requests: ", "unavailable: ", "timeout: ")


class Wire:
    """One connection and its codec: replies by the number of their call."""

    def __init__(self, address: str, decoder: jsonrpc.ReplyDecoder | gob.ReplyDecoder) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self._decoder = decoder

    def ask(self, data: bytes, count: int) -> dict[int, tuple[object, str | None]]:
        """Result and error text of `count` calls. Raises OSError, EOFError, StreamError."""
        replies: dict[int, tuple[object, str | None]] = {}
        deadline = time.monotonic() + SECONDS
        self._socket.sendall(data)
        while len(replies) < count:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            received = self._socket.recv(65536)
            if not received:
                raise EOFError
            for reply in self._decoder.feed(received):
                number = reply.seq if isinstance(reply, gob.GobReply) else reply.id
                if number is not None:
                    replies[number] = (reply.result, reply.error)
        return replies

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()


class RpcSender:
    """Connects when there is something to send, and anew after a failure."""

    def __init__(self, connect: Callable[[], _Session]) -> None:
        self._connect = connect
        self._session: _Session | None = None

    def send(self, entries: Sequence[Entry]) -> Told:
        try:
            if self._session is None:
                self._session = self._connect()
            return self._session.send(entries)
        except TimeoutError as error:
            self.close()
            raise FailedCallError("RPC no answer in time") from error
        except (OSError, EOFError) as error:
            self.close()
            raise FailedCallError("RPC connection") from error
        except StreamError as error:
            self.close()
            raise FailedCallError(f"RPC garbage {error}", unexpected=True) from error

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.wire.close()


class _Session(ABC):
    """One connection of one protocol."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._number = 0

    @abstractmethod
    def send(self, entries: Sequence[Entry]) -> Told:
        """What became of each entry. Raises OSError, EOFError, StreamError, FailedCallError."""

    def numbers(self, count: int) -> range:
        first, self._number = self._number, self._number + count
        return range(first, first + count)


class JsonSession(_Session):
    def send(self, entries: Sequence[Entry]) -> Told:
        numbers = self.numbers(len(entries))
        calls = [jsonrpc.encode_call(n, METHOD, _fields(entry)) for n, entry in zip(numbers, entries, strict=True)]
        replies = self.wire.ask(b"".join(calls), len(calls))
        return [_told(replies[number][1]) for number in numbers]


class JsonBatchSession(_Session):
    def send(self, entries: Sequence[Entry]) -> Told:
        (number,) = self.numbers(1)
        call = {"method": BULK_METHOD, "params": [[_fields(entry) for entry in entries]], "id": number}
        result, error = self.wire.ask(orjson.dumps(call) + b"\n", 1)[number]
        if error is not None:
            raise FailedCallError(_kind(error), unexpected=_is_unexpected(error))
        if not isinstance(result, list) or len(result) != len(entries):
            raise FailedCallError("RPC one result for each entry was expected", unexpected=True)
        return [Refused(f"refused: {each['Reason']}") if each["Outcome"] == "refused" else "mongodb" for each in result]


class GobSession(_Session):
    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._encoder = gob.CallEncoder(PAYLOAD)

    def send(self, entries: Sequence[Entry]) -> Told:
        numbers = self.numbers(len(entries))
        calls = [self._encoder.encode(n, METHOD, _fields(entry)) for n, entry in zip(numbers, entries, strict=True)]
        replies = self.wire.ask(b"".join(calls), len(calls))
        return [_told(replies[number][1]) for number in numbers]


def _fields(entry: Entry) -> dict[str, str]:
    return {"Name": entry.name, "Data": entry.data, "ID": entry.id}


def _is_unexpected(error: str) -> bool:
    return not error.startswith(HONEST_REFUSALS)


def _kind(error: str) -> str:
    return f"RPC {error if _is_unexpected(error) else error.partition(':')[0]}"


def _told(error: str | None) -> str | Refused:
    return "mongodb" if error is None else Refused(_kind(error), unexpected=_is_unexpected(error))


def _door(
    name: str,
    session: Callable[[Wire], _Session],
    decoder: Callable[[], jsonrpc.ReplyDecoder | gob.ReplyDecoder],
    *,
    batch: int,
    pause: float,
) -> Door:
    def opened(env: Mapping[str, str]) -> RpcSender:
        return RpcSender(lambda: session(Wire(env["LOGGER_RPC_ADDRESS"], decoder())))

    return Door(name, opened, batch=batch, pause=pause)


DOORS = (
    _door("json-rpc LogInfo", JsonSession, jsonrpc.ReplyDecoder, batch=10, pause=0.4),
    _door("json-rpc LogBatch", JsonBatchSession, jsonrpc.ReplyDecoder, batch=20, pause=0.5),
    _door("gob LogInfo", GobSession, gob.ReplyDecoder, batch=1, pause=0.1),
)
