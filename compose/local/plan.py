"""The plan of one instance: its ports, its variables and its parts. Written to disk, so that every command agrees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compose.local import environment, services
from compose.local.parts import Part
from compose.local.paths import Instance
from compose.local.ports import PortPlan
from compose.local.servers import mailbox, mongo, postgres, rabbit, valkey
from compose.local.site import Site


class UnknownPartError(Exception):
    """Somebody asked for a part that does not exist."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided once, before the supervisor starts."""

    instance: Instance
    ports: PortPlan
    values: Mapping[str, str]

    @property
    def host(self) -> str:
        return environment.reachable(self.values["BIND_HOST"])

    def save(self) -> None:
        text = json.dumps({"ports": dict(self.ports), "values": dict(self.values)}, indent=1)
        scratch = self.instance.plan_file.with_suffix(".new")
        scratch.write_text(text, encoding="utf-8")
        scratch.chmod(0o600)
        scratch.replace(self.instance.plan_file)

    def parts(self) -> dict[str, Part]:
        """In the order in which they are shown."""
        site = Site(self.instance, self.ports, self.values, self.host)
        made = [postgres.part(site), mongo.part(site), *rabbit.parts(site), valkey.part(site), mailbox.part(site)]
        made += services.parts(site)
        return {part.name: part for part in made}


def load(instance: Instance) -> Plan:
    """The plan of the running instance. Raises OSError when none was ever made."""
    stored = json.loads(instance.plan_file.read_text(encoding="utf-8"))
    return Plan(instance, stored["ports"], stored["values"])


def with_needs(parts: Mapping[str, Part], names: Iterable[str]) -> tuple[str, ...]:
    """The named parts and what gates their start, in the order of the plan. Raises UnknownPartError."""
    wanted: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in parts:
            raise UnknownPartError(f"there is no part '{name}'; the parts are: {', '.join(parts)}")
        if name not in wanted:
            wanted.add(name)
            queue.extend(parts[name].needs)
    return tuple(name for name in parts if name in wanted)
