"""However long a service works on a request, the connection that brought it serves the next one as well."""

from __future__ import annotations

import http.client
import subprocess
import sys
from contextlib import closing

import pytest
import requests

from tests.services import free_port
from tests.system import ROOT
from tests.waiting import eventually

WORKERS = ("common.web.worker.BoundedWorker", "common.web.green_worker.GreenWorker")


@pytest.fixture(scope="module", params=WORKERS)
def address(request):
    address = f"127.0.0.1:{free_port()}"
    options = ("--worker-class", request.param, "--threads", "4", "--bind", address, "--keep-alive", "75")
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "tests.web.slow_app:app"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: requests.get(f"http://{address}/ping", timeout=2).ok, seconds=30)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("body", [None, b"whole", (b"in ", b"chunks")], ids=["none", "whole", "chunks"])
def test_a_connection_outlives_work_that_lasts_longer_than_reading_may(address, body):
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.request("GET" if body is None else "POST", "/work", body)
        answer = connection.getresponse()
        answer.read()
        used = connection.sock

        connection.request("GET", "/ping")

        assert (answer.status, connection.getresponse().status) == (200, 200)
        assert connection.sock is used
