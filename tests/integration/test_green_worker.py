"""The broker's and the log store's kind of process, from outside: which connections a stop waits for."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

from tests.services import own_service

# Within what the test gives a process to stop, and more than a stop takes on a slow machine.
GRACE_SECONDS = 18


def test_kept_connections_without_a_request_do_not_make_a_stop_last(system, tmp_path):
    with own_service(system, "broker", SHUTDOWN_GRACE=str(GRACE_SECONDS), SPOOL_DIR=str(tmp_path)) as url:
        address = urlsplit(url)
        fresh = socket.create_connection((address.hostname, address.port), timeout=20)
        used = http.client.HTTPConnection(address.netloc, timeout=20)
        used.request("GET", "/ping")
        assert used.getresponse().read() == b"OK"
        started = time.monotonic()

    elapsed = time.monotonic() - started
    with fresh, closing(used):
        assert elapsed < GRACE_SECONDS - 5
        assert (fresh.recv(1), used.sock.recv(1)) == (b"", b"")
