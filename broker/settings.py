"""The broker's configuration; the only module here that reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from common.settings import Settings


class BrokerSettings(Settings):
    broker_port: int = Field(default=8080, gt=0, lt=65536)
    broker_workers: int = Field(default=1, gt=0)
    broker_connections: int = Field(default=1000, gt=0)
    cors_origins: str = "http://localhost:8082,http://127.0.0.1:8082"
    auth_url: str = "http://127.0.0.1:8081"
    logger_url: str = "http://127.0.0.1:8084"
    logger_rpc_address: str = "127.0.0.1:5001"
    logger_grpc_address: str = "127.0.0.1:50001"
    mailer_url: str = "http://127.0.0.1:8083"
    rabbit_url: str = "amqp://guest:guest@127.0.0.1:17672/"
    http_timeout: float = Field(default=30, gt=0)
    rpc_timeout: float = Field(default=5, gt=0)
    grpc_timeout: float = Field(default=5, gt=0)
    publish_timeout: float = Field(default=5, gt=0)
    log_patience: float = Field(default=2, gt=0)
    spool_dir: Path = Path(".local/spool")
    spool_max_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)

    @property
    def origins(self) -> list[str]:
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    @model_validator(mode="after")
    def _refuse_any_origin(self) -> BrokerSettings:
        if self.app_env == "production" and "*" in self.origins:
            raise ValueError("CORS_ORIGINS must name the origins in production, * is refused")
        return self
