"""The table `outbox`: events that wait for RabbitMQ (common.outbox)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from auth.migrations import SchemaError

revision = "0002"
down_revision = "0001"

_CREATE = """
CREATE TABLE outbox (
    id text PRIMARY KEY,
    exchange text NOT NULL,
    routing_key text NOT NULL,
    body bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0
)"""


def upgrade() -> None:
    op.execute(_CREATE)
    op.execute("CREATE INDEX outbox_order ON outbox (attempts, created_at, id)")


def downgrade() -> None:
    op.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    waiting = op.get_bind().scalar(text("SELECT count(*) FROM outbox"))
    if waiting:
        raise SchemaError(f"{waiting} events wait in the outbox and would be lost; nothing was changed")
    op.execute("DROP TABLE outbox")
