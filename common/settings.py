"""Configuration from the environment, checked as a whole before anything starts.

Each variable NAME may be given as NAME_FILE instead, the path of a file that holds the value (Docker and Kubernetes secrets).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

# The credentials that the development defaults and the Go system's documents print.
_PUBLIC_CREDENTIALS = re.compile(
    r"(:(guest|password|verysecret)@)|(password=password\b)|(^(guest|password|verysecret)$)"
)


class _FileSource(PydanticBaseSettingsSource):
    """Reads NAME_FILE for each setting NAME."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base class's signature
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise SystemExit(f"{field_name.upper()}_FILE cannot be read: {error.strerror}") from error

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """What every process reads. A service adds its own fields; an empty variable counts as not given."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    app_env: Literal["development", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    bind_host: str = "127.0.0.1"
    shutdown_grace: int = 8

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not offered: only the environment configures
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - NAME_FILE replaces it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls)

    @model_validator(mode="after")
    def _refuse_public_credentials(self) -> Settings:
        if self.app_env == "production":
            bad = [name.upper() for name, value in self if isinstance(value, str) and _PUBLIC_CREDENTIALS.search(value)]
            if bad:
                raise ValueError(
                    f"holds a publicly known development credential, refused in production: {', '.join(bad)}"
                )
        return self


S = TypeVar("S", bound=Settings)


def load(settings_class: type[S]) -> S:
    """Read and check the environment.

    Raises SystemExit(2) after printing every problem, a line each; values are never printed.
    """
    try:
        return settings_class()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"configuration: {name}: {problem['msg']}".replace(": : ", ": "), file=sys.stderr)  # noqa: T201 - logging is not set up yet
        raise SystemExit(2) from None
