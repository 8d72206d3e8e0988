"""The exit codes of all commands, as docs/log-store.md lists them. Argparse's own for a wrong command line is 2, too."""

from __future__ import annotations

FOUND = 0
NOT_FOUND = 1  # nothing found, or a problem found
MISUSED = 2
UNAVAILABLE = 3
