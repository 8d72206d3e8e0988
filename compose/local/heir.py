"""Ends what a killed supervisor leaves behind.

The kernel kills the supervisor's own children with it, but not theirs: a worker of a web server, say, would take its
time. A shell, the smallest process there is, waits for the end of a pipe that only the supervisor holds.
"""

from __future__ import annotations

import os
import subprocess
import uuid

from compose.local import process
from compose.local.paths import PYTHON, ROOT, Instance

_SCRIPT = 'read -r word && exit 0; exec "$@"'


class Heir:
    """Must be made before the first child is started, because children inherit the name of this life."""

    def __init__(self, instance: Instance) -> None:
        life = uuid.uuid4().hex
        os.environ[process.LIFE] = life
        command = [str(PYTHON), "-m", "compose.local", "--instance", instance.name, "--state", str(instance.state)]
        self._shell = subprocess.Popen(
            ["sh", "-c", _SCRIPT, "heir", *command, "inherit", life],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The supervisor ends in an orderly way: nothing is to be inherited."""
        self._shell.communicate(b"over\n", timeout=5)


def inherit(instance: Instance, life: str) -> int:
    """Only that life's processes: a new supervisor may already be at work."""
    return 1 if process.end_leftovers(instance, life) else 0
