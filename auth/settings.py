"""The authentication service's configuration; the only module here that reads the environment."""

from __future__ import annotations

import os

from pydantic import Field, model_validator

from common.settings import Settings

# OWASP's password storage guidance asks for a bcrypt cost of at least 10; tests use less.
LOWEST_PRODUCTION_COST = 10


class AuthSettings(Settings):
    auth_port: int = Field(default=8081, gt=0, lt=65536)
    auth_threads: int = Field(default=96, ge=4)
    dsn: str = "host=127.0.0.1 port=17432 user=auth password=password dbname=users"
    # Seed 001: cost 12. Each step doubles the time of a login; 16 already takes seconds.
    bcrypt_cost: int = Field(default=12, ge=4, le=16)
    rabbit_url: str = "amqp://guest:guest@127.0.0.1:17672/"

    @model_validator(mode="after")
    def _refuse_cheap_hashes(self) -> AuthSettings:
        if self.app_env == "production" and self.bcrypt_cost < LOWEST_PRODUCTION_COST:
            raise ValueError(f"BCRYPT_COST must be at least {LOWEST_PRODUCTION_COST} in production")
        return self


def password_from_environment() -> str | None:
    """The password of a user to create: an argument would show in the list of processes."""
    return os.environ.get("NEW_PASSWORD")
