"""The table `users`, new or taken over from the Go system in place.

The seeds and the Go system's users.sql describe three variants; all of them end as the same table, and no row is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op
from sqlalchemy import Connection, text

from auth.migrations import SchemaError

revision = "0001"
down_revision = None

TYPES = {
    "id": "integer",
    "email": "character varying(255)",
    "first_name": "character varying(255)",
    "last_name": "character varying(255)",
    "password": "character varying(255)",
    "user_active": "integer",
    "created_at": "timestamp without time zone",
    "updated_at": "timestamp without time zone",
}
DEFAULTS = {"first_name": "''", "last_name": "''", "user_active": "0", "created_at": "now()", "updated_at": "now()"}

_CREATE = """
CREATE TABLE users (
    id serial PRIMARY KEY,
    email varchar(255) NOT NULL,
    first_name varchar(255) NOT NULL DEFAULT '',
    last_name varchar(255) NOT NULL DEFAULT '',
    password varchar(255) NOT NULL,
    user_active integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now()
)"""

_COLUMNS = text(
    "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
    " WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped"
)
_WITHOUT_EMAIL = text("SELECT id FROM users WHERE email IS NULL ORDER BY id")
_SHARED_EMAILS = text(
    "SELECT array_agg(id ORDER BY id) FROM users GROUP BY lower(email) HAVING count(*) > 1 ORDER BY min(id)"
)
# An empty password is no hash, so nobody logs in with it.
_FILL = """
UPDATE users SET first_name = coalesce(first_name, ''), last_name = coalesce(last_name, ''),
    password = coalesce(password, ''), user_active = coalesce(user_active, 0),
    created_at = coalesce(created_at, updated_at, now()), updated_at = coalesce(updated_at, created_at, now())
WHERE first_name IS NULL OR last_name IS NULL OR password IS NULL OR user_active IS NULL
    OR created_at IS NULL OR updated_at IS NULL"""
_HAS_PRIMARY_KEY = text("SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = 'users'::regclass AND indisprimary)")

_OWNED_SEQUENCE = text("SELECT pg_get_serial_sequence('users', 'id')")
# The Go system's sequence is used by the column's default without belonging to the column.
_USED_SEQUENCE = text("""
SELECT dependency.refobjid::regclass::text
FROM pg_attrdef AS standard
JOIN pg_attribute AS col ON col.attrelid = standard.adrelid AND col.attnum = standard.adnum AND col.attname = 'id'
JOIN pg_depend AS dependency ON dependency.classid = 'pg_attrdef'::regclass AND dependency.objid = standard.oid
JOIN pg_class AS target ON target.oid = dependency.refobjid AND target.relkind = 'S'
WHERE standard.adrelid = 'users'::regclass""")
# Forward only: the number of a deleted user is not given out again.
_ADVANCE = text("""
SELECT setval(CAST(:sequence AS regclass), highest) FROM (SELECT max(id) AS highest FROM users) AS ids
WHERE highest > coalesce(pg_sequence_last_value(CAST(:sequence AS regclass)), 0)""")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.scalar(text("SELECT to_regclass('users')")) is None:
        op.execute(_CREATE)
    else:
        _adopt(connection)
    op.execute("CREATE UNIQUE INDEX users_email_lower_key ON users (lower(email))")


def downgrade() -> None:
    """Back to what the Go system can have made; the users stay."""
    op.execute("DROP INDEX users_email_lower_key")
    for column in TYPES.keys() - {"id"}:
        op.execute(f"ALTER TABLE users ALTER COLUMN {column} DROP NOT NULL")


def _adopt(connection: Connection) -> None:
    op.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    found = {row.attname: row.type for row in connection.execute(_COLUMNS)}
    _refuse_what_cannot_be_adopted(connection, set(found))
    op.execute(_FILL)
    for column, wanted in TYPES.items():
        if column != "id" and found[column] != wanted:
            op.execute(f"ALTER TABLE users ALTER COLUMN {column} TYPE {wanted}")
    for column, default in DEFAULTS.items():
        op.execute(f"ALTER TABLE users ALTER COLUMN {column} SET DEFAULT {default}")
    for column in TYPES:
        op.execute(f"ALTER TABLE users ALTER COLUMN {column} SET NOT NULL")
    if not connection.scalar(_HAS_PRIMARY_KEY):
        op.execute("ALTER TABLE users ADD PRIMARY KEY (id)")
    _mend_sequence(connection)


def _refuse_what_cannot_be_adopted(connection: Connection, columns: set[str]) -> None:
    """The report names ids only: e-mails are personal, and the operator can look them up."""
    if missing := sorted(TYPES.keys() - columns):
        raise SchemaError(f"the table users is not the Go system's, it lacks {', '.join(missing)}; nothing was changed")
    if nameless := connection.scalars(_WITHOUT_EMAIL).all():
        raise SchemaError(f"users without an e-mail, ids {_listed(nameless)}; give them one or delete them")
    if shared := connection.scalars(_SHARED_EMAILS).all():
        groups = "; ".join(_listed(ids) for ids in shared)
        raise SchemaError(
            f"e-mails that several users share (capital and small letters count as the same), ids: {groups}."
            " Keep one of each group; nothing was changed"
        )


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))


def _mend_sequence(connection: Connection) -> None:
    sequence = connection.scalar(_OWNED_SEQUENCE)
    if sequence is None:
        sequence = connection.scalar(_USED_SEQUENCE)
        if sequence is None:
            sequence = "users_id_seq"
            op.execute("CREATE SEQUENCE users_id_seq")
            op.execute("ALTER TABLE users ALTER COLUMN id SET DEFAULT nextval('users_id_seq')")
        op.execute(f"ALTER SEQUENCE {sequence} OWNED BY users.id")
    connection.execute(_ADVANCE, {"sequence": sequence})
