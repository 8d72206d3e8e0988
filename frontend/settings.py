"""What the console reads from the environment. The addresses are those that a browser uses, which may differ from the services' own."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from common.settings import Settings

# The origin becomes part of a Content-Security-Policy, where a space or a semicolon would begin something else.
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def _address(url: str) -> str:
    """`url` without a trailing slash and without credentials, which have no place in a page."""
    parts = urlsplit(url)
    authority = parts.netloc.rpartition("@")[2]
    plain = _AUTHORITY.fullmatch(authority) and not (parts.query or parts.fragment) and parts.port != 0
    if parts.scheme not in {"http", "https"} or not plain:
        raise ValueError("must be an http:// or https:// address without query or fragment")
    return f"{parts.scheme}://{authority}{parts.path.rstrip('/')}"


Address = Annotated[str, AfterValidator(_address)]


class FrontendSettings(Settings):
    frontend_port: int = Field(default=8082, gt=0, lt=65536)
    broker_url: Address = "http://localhost:8080"
    mailbox_url: Address = "http://localhost:8025"
    rabbit_management_url: Address = "http://localhost:15672"

    @property
    def broker_origin(self) -> str:
        parts = urlsplit(self.broker_url)
        return f"{parts.scheme}://{parts.netloc}"
