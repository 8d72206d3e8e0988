"""What the command line and the environment say; nothing else of the mailbox reads either."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    host: str
    smtp_port: int
    http_port: int
    data: Path
    allowed_hosts: tuple[str, ...]
    log_level: str
    log_format: str


def read_settings(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Print what is wrong and leave the program when the arguments make no sense."""
    surroundings = os.environ if environment is None else environment
    parser = _parser()
    given = parser.parse_args(arguments)
    log_level = surroundings.get("LOG_LEVEL", "INFO").upper()
    if log_level not in logging.getLevelNamesMapping():
        parser.error(f"LOG_LEVEL is {log_level!r}, which is no level")
    return Settings(
        host=given.host,
        smtp_port=given.smtp_port,
        http_port=given.http_port,
        data=given.data,
        allowed_hosts=tuple(given.allow_host),
        log_level=log_level,
        log_format=surroundings.get("LOG_FORMAT", "json"),
    )


def _parser() -> argparse.ArgumentParser:
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
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number")
    return int(text)
