"""`python -m compose.mailbox`: the command that starts the mailbox."""

from __future__ import annotations

import logging
import sqlite3
import sys
from collections.abc import Sequence

from common import logs
from compose.mailbox.server import PortTakenError, run
from compose.mailbox.settings import read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 after a signal, 1 when it could not start."""
    settings = read_settings(arguments)
    logs.configure("mailbox", level=settings.log_level, style=settings.log_format)
    # aiosmtpd writes every command to its log, passwords included.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    try:
        run(settings)
    except PortTakenError as error:
        print(f"mailbox: {error}", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as error:
        print(f"mailbox: cannot keep mail in {settings.data}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
