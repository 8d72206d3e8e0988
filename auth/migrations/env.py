"""Alembic's entry: runs the revisions on the connection, and in the transaction, that auth.migrations.run hands over."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="alembic_version")
with context.begin_transaction():
    context.run_migrations()
