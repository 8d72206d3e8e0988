"""Where things are kept: everything the runner makes lies in one ignored folder of the repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
PYTHON = VENV / "bin" / "python"
APT = LOCAL / "apt"
PYCACHE = LOCAL / "pycache"
TOOLS_ENV = LOCAL / "tools.env"

DEV = "dev"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_TAKEN = frozenset({"venv", "apt", "pycache", "uv"})


class InstanceNameError(ValueError):
    """The name would collide with a folder of the runner or is no file name."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One running system with ports and data of its own."""

    name: str
    state: Path

    @property
    def is_dev(self) -> bool:
        return self.name == DEV

    @property
    def data(self) -> Path:
        return self.state / "data"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def plan_file(self) -> Path:
        return self.run / "plan.json"

    def make_folders(self) -> None:
        for folder in (self.state, self.data, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def instance(name: str, state: str | None = None) -> Instance:
    """The instance called `name`, kept in `state` or in `.local/<name>`."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise InstanceNameError(f"'{name}' cannot name an instance: use a-z, 0-9 and '-', but none of {sorted(_TAKEN)}")
    return Instance(name, Path(state).resolve() if state else LOCAL / name)
