"""What a part may know of its surroundings when it is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compose.local.paths import Instance
from compose.local.ports import PortPlan


@dataclass(frozen=True, slots=True)
class Site:
    """`host` is where this machine reaches the services."""

    instance: Instance
    ports: PortPlan
    values: Mapping[str, str]
    host: str
