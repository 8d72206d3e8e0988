"""The schema of the database `users`, revision by revision.

A new one is a file versions/v<number>_<what>.py with the next number, and HEAD below moves with it (a test compares them).
"""

from __future__ import annotations

# Kept here too, so that a start that finds everything done needs no Alembic, whose import takes longer than the look.
HEAD = "0002"


class SchemaError(Exception):
    """A migration refuses to go on; nothing was changed. The message is for the operator."""
