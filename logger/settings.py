"""The log store's configuration; the only module here that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from common.settings import Settings


class LoggerSettings(Settings):
    logger_port: int = Field(default=8084, gt=0, lt=65536)
    logger_rpc_port: int = Field(default=5001, gt=0, lt=65536)
    logger_grpc_port: int = Field(default=50001, gt=0, lt=65536)
    logger_workers: int = Field(default=2, gt=0)
    logger_connections: int = Field(default=1000, gt=0)
    logger_grpc_threads: int = Field(default=32, gt=0)
    logger_streams: int = Field(default=64, gt=0)
    keeper_port: int = Field(default=8086, gt=0, lt=65536)
    logger_export_to: Path | None = None
    mongo_url: str = "mongodb://logger:password@127.0.0.1:17017/logs?replicaSet=rs0&authSource=logs"


def wants_no_colour() -> bool:
    """What a person says to every program, see no-color.org."""
    return bool(os.environ.get("NO_COLOR"))
