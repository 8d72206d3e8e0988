"""The benchmark's whole path, on a running system: real requests, counted in the store, set against a yardstick."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.bench import wrk
from tests.system import System


def test_two_rows_are_measured_counted_and_written_down(system: System, tmp_path):
    out = tmp_path / "rows.json"

    done = system.run(
        [
            *(sys.executable, "-m", "tests.bench", "bench", "--quick", "--concurrency", "1"),
            *("--only", "logger-log,jsonrpc", "--out", str(out)),
            *("--base", system.url("broker"), "--logger", system.url("logger")),
            *("--rpc", system.env["LOGGER_RPC_ADDRESS"], "--mongo", system.env["MONGO_ADMIN_URL"]),
        ]
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    rows = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    door, rpc, bare = rows["logger-log"], rows["jsonrpc"], rows["F"]
    assert (door["errors"], door["lost"], rpc["errors"], rpc["lost"]) == (0, 0, 0, 0)
    assert door["acknowledged"] > 10
    assert door["ratio"] == pytest.approx(door["value"] / door["yardstick_value"], rel=0.01)
    assert door["yardstick_value"] == pytest.approx(bare["value"], rel=0.01)


def test_a_door_that_is_not_there_has_errors_and_no_speed(system: System):
    sample = wrk.run(wrk.Request(system.url("logger", "/nowhere").replace("localhost", "127.0.0.1"), "{}"), 1, 1)

    assert sample.acknowledged == 0
    assert sample.errors > 0


class Full(BaseHTTPRequestHandler):
    """Has never room, and says when to come again."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(429)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing to say to the terminal."""


@pytest.fixture
def full_server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Full) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_bulk_writer_that_finds_no_room_waits_as_long_as_it_is_told(full_server):
    told = wrk.run(wrk.Request(full_server, "{}", is_patient=True), 1, 2)

    assert told.acknowledged == 0
    assert 1 <= told.errors == told.pushed_back <= 3


def test_a_writer_of_single_entries_does_not_wait_and_every_refusal_is_an_error(full_server):
    told = wrk.run(wrk.Request(full_server, "{}"), 1, 1)

    assert told.acknowledged == 0
    assert told.errors > 3
