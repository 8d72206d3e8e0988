"""`python -m compose.mailbox`: the command that starts the mailbox."""

from __future__ import annotations

import argparse
import logging
import sqlite3
import sys
from pathlib import Path

from compose.mailbox.server import PortTakenError, Settings, run


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 after a signal, 1 when it could not start."""
    settings = _settings(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
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


def _settings(arguments: list[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m compose.mailbox", description="Catch all mail and relay none.")
    parser.add_argument("--host", default="127.0.0.1", help="address both servers listen on (default: %(default)s)")
    parser.add_argument("--smtp-port", type=_port, default=1025, metavar="PORT", help="default: %(default)s")
    parser.add_argument("--http-port", type=_port, default=8025, metavar="PORT", help="default: %(default)s")
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="SQLite file that keeps the mail")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which browsers may also reach the page; addresses, localhost and names without a dot always may",
    )
    given = parser.parse_args(arguments)
    return Settings(
        host=given.host,
        smtp_port=given.smtp_port,
        http_port=given.http_port,
        data=given.data,
        allowed_hosts=tuple(given.allow_host),
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
