"""`make bench` and `make test-faults` that are told to end leave nothing running."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.system import ROOT

PROGRAM = """
import signal, subprocess, sys
from tests.ending import end_by_exception
end_by_exception()
try:
    print("working", flush=True)
    signal.pause()
finally:
    print("tidying", flush=True)
    sys.stdin.readline()
    child = subprocess.run([sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"],
        capture_output=True, text=True)
    print(child.stdout.strip(), flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_is_told_to_end_tidies_up_undisturbed(number):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        assert process.stdout.readline() == "tidying\n"
        process.send_signal(number)

        told, _ = process.communicate("\n", timeout=20)

    assert told == "True\n"
    assert process.returncode == 128 + number
