"""The worker's configuration; the only module here that reads the environment."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class WorkerSettings(Settings):
    """`listener_batch_wait`, `grpc_timeout` and `publish_timeout` are in seconds."""

    rabbit_url: str = "amqp://guest:guest@127.0.0.1:17672/"
    logger_grpc_address: str = "127.0.0.1:50001"
    grpc_timeout: float = Field(default=5, gt=0)
    publish_timeout: float = Field(default=5, gt=0)
    worker_port: int = Field(default=8085, gt=0, lt=65536)
    # AMQP carries the prefetch count in 16 bits, and 0 would mean "no limit".
    listener_prefetch: int = Field(default=2000, ge=1, le=65535)
    listener_batch_size: int = Field(default=500, ge=1, le=10_000)
    listener_batch_wait: float = Field(default=0.05, ge=0, le=10)
