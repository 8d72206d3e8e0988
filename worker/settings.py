"""The worker's configuration; the only module here that reads the environment."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class WorkerSettings(Settings):
    """Times are in seconds, `listener_prefetch_bytes` in octets."""

    rabbit_url: str = "amqp://guest:guest@127.0.0.1:17672/"
    logger_grpc_address: str = "127.0.0.1:50001"
    grpc_timeout: float = Field(default=5, gt=0)
    publish_timeout: float = Field(default=5, gt=0)
    worker_port: int = Field(default=8085, gt=0, lt=65536)
    # AMQP carries the prefetch count in 16 bits, and 0 would mean "no limit".
    listener_prefetch: int = Field(default=2000, ge=1, le=65535)
    listener_prefetch_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)
    listener_batch_size: int = Field(default=500, ge=1, le=10_000)
    listener_batch_wait: float = Field(default=0.05, ge=0, le=10)
    # RabbitMQ closes the channel of a consumer that holds a message for 30 minutes.
    listener_hold_seconds: float = Field(default=600, gt=0, le=1500)
    listener_stall_seconds: float = Field(default=30, gt=0)
