"""Moves the schema to a revision: all steps in one transaction, one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text

from auth.migrations import SchemaError
from common.postgres import transaction

# Any number that nothing else in this database uses.
ADVISORY_LOCK = 8_081_001
_CURRENT = text("SELECT version_num FROM alembic_version")


def lock(connection: Connection) -> None:
    """Waits until no other process changes schema or first data; held until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(_CURRENT).scalar_one_or_none()
    return found


def migrate(engine: Engine, *, to: str = "head") -> tuple[str | None, str | None]:
    """The revisions before and after. `to` is a revision, `head`, or `base` for none.

    Raises SchemaError when a revision refuses or is not known; the schema is then as it was.
    """
    with transaction(engine) as connection:
        lock(connection)
        before = revision(connection)
        config = _config(connection)
        try:
            move = command.downgrade if _lies_behind(config, to, before) else command.upgrade
            move(config, to)
        except CommandError as error:
            raise SchemaError(f"cannot migrate: {error}") from error
        return before, revision(connection)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _lies_behind(config: Config, target: str, current: str | None) -> bool:
    if current is None or target in ("head", current):
        return False
    steps = ScriptDirectory.from_config(config).iterate_revisions(current, "base")
    return target == "base" or target in {step.revision for step in steps}
