"""The mailer's configuration, under the names that the Go original uses; the only module here that reads the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from common.settings import Settings
from mailer.domain import Address, Origin, parse_address

_HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _host_name(value: str) -> str:
    if not _HOST_NAME.fullmatch(value):
        raise ValueError("must be a host name, since it names this mailer to SMTP servers and in message ids")
    return value


def _bare_address(value: str) -> str:
    if parse_address(value).name:
        raise ValueError("must be an address without a name; the name belongs into FROM_NAME")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")
    return value


class MailerSettings(Settings):
    mailer_port: int = Field(default=8083, gt=0, lt=65536)
    mailer_threads: int = Field(default=16, gt=0)
    mail_domain: Annotated[str, AfterValidator(_host_name)] = "localhost"
    mail_host: str = "127.0.0.1"
    mail_port: int = Field(default=1025, gt=0, lt=65536)
    mail_encryption: Annotated[Literal["none", "tls", "ssl"], BeforeValidator(_lower)] = "none"
    mail_username: str = ""
    mail_password: str = ""
    from_name: Annotated[str, AfterValidator(_printable)] = "Microservices"
    from_address: Annotated[str, AfterValidator(_bare_address)] = "noreply@example.com"
    mail_templates: Path | None = None
    """A folder whose templates replace the built-in ones of the same name and add new ones."""

    @model_validator(mode="after")
    def _complete(self) -> MailerSettings:
        if bool(self.mail_username) != bool(self.mail_password):
            raise ValueError("MAIL_USERNAME and MAIL_PASSWORD are given together or not at all")
        if self.mail_templates is not None and not self.mail_templates.is_dir():
            raise ValueError("MAIL_TEMPLATES must be a folder")
        return self

    @property
    def origin(self) -> Origin:
        return Origin(Address(parse_address(self.from_address).address, self.from_name), self.mail_domain)
