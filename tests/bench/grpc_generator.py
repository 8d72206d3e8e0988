"""A load generator for gRPC `WriteLogs`: prepared messages, a thread for each call in flight, few connections.

    python -m tests.bench.grpc_generator HOST:PORT CALLS_IN_FLIGHT SECONDS TAG

Prints one JSON object. Runs in a process of its own.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time

import grpc

from protos import logs_pb2
from tests.bench.doors import entry
from tests.bench.figures import of_latencies
from tests.bench.wrk import MARK

ENTRIES = 500
_CONNECTIONS = 4
_TIMEOUT = 60
_WAIT = 1.0
_METHOD = "/logs.LogService/WriteLogs"
_OPTIONS = (("grpc.max_send_message_length", 8 << 20), ("grpc.max_receive_message_length", 8 << 20))
_REFUSED = logs_pb2.WriteResult.REFUSED


class Generator:
    def __init__(self, address: str, tag: str) -> None:
        entries = [_log(f"{tag}-{number:03d}-{MARK}") for number in range(ENTRIES)]
        self._message = logs_pb2.WriteLogsRequest(entries=entries).SerializeToString()
        # a number in the options, or the channels would share one connection
        self._channels = [
            grpc.insecure_channel(address, options=(*_OPTIONS, ("bench.connection", number)))
            for number in range(_CONNECTIONS)
        ]
        self._numbers = itertools.count(1)
        self._latencies: list[float] = []
        self._late = 0
        self._errors = 0
        self._pushed_back = 0

    def run(self, calls: int, seconds: float) -> dict[str, float]:
        """Only calls that are answered within `seconds` count for the rate."""
        for channel in self._channels[:calls]:
            grpc.channel_ready_future(channel).result(timeout=10)
        began = time.perf_counter()
        threads = [threading.Thread(target=self._call, args=(number, began + seconds)) for number in range(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        within = len(self._latencies)
        told = of_latencies(self._latencies, acknowledged=within, seconds=seconds, errors=self._errors)
        return told | {"pushed_back": self._pushed_back, "acknowledged_in_all": within + self._late}

    def _call(self, thread: int, end: float) -> None:
        """The number is as long as the mark, so that the lengths inside the message stay true."""
        write = self._channels[thread % _CONNECTIONS].unary_unary(_METHOD, None, None)
        while (began := time.perf_counter()) < end:
            message = self._message.replace(MARK.encode(), b"%010d" % next(self._numbers))
            try:
                answer = logs_pb2.WriteLogsResponse.FromString(write(message, timeout=_TIMEOUT))
            except grpc.RpcError as error:
                self._failed(error)
                continue
            now = time.perf_counter()
            if any(result.outcome == _REFUSED for result in answer.results):
                self._errors += 1
            elif now <= end:
                self._latencies.append(now - began)
            else:
                self._late += 1

    def _failed(self, error: grpc.RpcError) -> None:
        """Where there is no room now, the writer waits before it comes again."""
        self._errors += 1
        status: grpc.StatusCode = error.code()
        if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
            self._pushed_back += 1
            time.sleep(_WAIT)


def _log(name: str) -> logs_pb2.Log:
    fields = entry(name)
    return logs_pb2.Log(name=fields["name"], data=fields["data"])


def main(arguments: list[str]) -> None:
    address, calls, seconds, tag = arguments
    sys.stdout.write(json.dumps(Generator(address, tag).run(int(calls), float(seconds))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
