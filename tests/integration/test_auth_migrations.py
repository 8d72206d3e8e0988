from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from auth.migrations import HEAD, SchemaError
from auth.migrations.run import migrate
from common.postgres import create_postgres
from tests.auth.databases import own_database, query

SEED_001 = """
CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) UNIQUE NOT NULL,
    first_name VARCHAR(255) NOT NULL,
    last_name VARCHAR(255) NOT NULL,
    password VARCHAR(60) NOT NULL,
    user_active INT DEFAULT 0,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
)"""
SEED_004 = """
CREATE TABLE users (
  id SERIAL PRIMARY KEY,
  email VARCHAR(255) UNIQUE NOT NULL,
  first_name VARCHAR(255),
  last_name VARCHAR(255),
  password VARCHAR(255) NOT NULL,
  user_active INTEGER DEFAULT 0,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
)"""
# As the Go system's users.sql does it: everything nullable, nothing unique, the sequence apart from the column.
GO = """
CREATE SEQUENCE public.user_id_seq;
CREATE TABLE public.users (
    id integer DEFAULT nextval('public.user_id_seq'::regclass) NOT NULL,
    email character varying(255),
    first_name character varying(255),
    last_name character varying(255),
    password character varying(60),
    user_active integer DEFAULT 0,
    created_at timestamp without time zone,
    updated_at timestamp without time zone
);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id)"""
# Kept by hand: no key, no default, other types.
HANDMADE = """
CREATE TABLE users (id integer, email text, first_name text, last_name text, password text, user_active smallint,
    created_at timestamptz, updated_at timestamptz)"""

SHAPES = {"seed 001": SEED_001, "seed 004": SEED_004, "users.sql": GO, "handmade": HANDMADE}

GO_HASH = "$2a$12$1zGLuYDDNvATh4RA4avbKuheAMpb1svexSzrQm7up.bnpwQHs0jNe"
ADMIN = """
INSERT INTO users (id, email, first_name, last_name, password, user_active, created_at, updated_at)
VALUES (1, 'admin@example.com', 'Admin', 'User', %s, 1, '2022-03-14 00:00:00+00', '2022-03-14 00:00:00+00')"""
SHOP = "INSERT INTO users (id, email, password) VALUES (%s, %s, 'x')"


@pytest.fixture
def dsn(system):
    with own_database(system.env["POSTGRES_ADMIN_DSN"]) as dsn:
        yield dsn


@pytest.fixture
def engine(dsn):
    engine = create_postgres(dsn, pool_size=4)
    yield engine
    engine.dispose()


def shape(dsn: str) -> dict[str, tuple]:
    rows = query(
        dsn,
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)"
        " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = 'users'::regclass AND attnum > 0",
    )
    return {
        name: (kind, filled, "a sequence" if name == "id" and default else default)
        for name, kind, filled, default in rows
    }


def add(dsn: str, email: str) -> int:
    return query(dsn, "INSERT INTO users (email, password) VALUES (%s, 'x') RETURNING id", email)[0][0]


def test_an_empty_database_gets_the_table_that_the_contradiction_was_resolved_to(dsn, engine):
    assert migrate(engine) == (None, HEAD)

    text = ("character varying(255)", True)
    assert shape(dsn) == {
        "id": ("integer", True, "a sequence"),
        "email": (*text, None),
        "first_name": (*text, "''::character varying"),
        "last_name": (*text, "''::character varying"),
        "password": (*text, None),
        "user_active": ("integer", True, "0"),
        "created_at": ("timestamp without time zone", True, "now()"),
        "updated_at": ("timestamp without time zone", True, "now()"),
    }
    assert add(dsn, "first@example.com") == 1


@pytest.mark.parametrize("adopted", SHAPES.values(), ids=SHAPES)
def test_every_older_table_is_adopted_in_place_with_its_users(system, dsn, engine, adopted):
    query(dsn, adopted)
    query(dsn, ADMIN, GO_HASH)

    migrate(engine)

    with own_database(system.env["POSTGRES_ADMIN_DSN"]) as fresh:
        fresh_engine = create_postgres(fresh, pool_size=1)
        migrate(fresh_engine)
        fresh_engine.dispose()
        assert shape(dsn) == shape(fresh)
    kept = query(dsn, "SELECT id, email, first_name, last_name, password, user_active, created_at::text FROM users")
    assert kept == [(1, "admin@example.com", "Admin", "User", GO_HASH, 1, "2022-03-14 00:00:00")]


@pytest.mark.parametrize("adopted", SHAPES.values(), ids=SHAPES)
def test_after_an_adoption_new_users_get_new_ids_and_emails_are_unique_in_any_case(dsn, engine, adopted):
    query(dsn, adopted)
    query(dsn, ADMIN, GO_HASH)

    migrate(engine)

    assert add(dsn, "second@example.com") == 2
    with pytest.raises(psycopg2.errors.UniqueViolation):
        add(dsn, "ADMIN@example.com")


def test_a_sequence_that_is_ahead_of_the_users_is_never_set_back(dsn, engine):
    query(dsn, GO)
    query(dsn, ADMIN, GO_HASH)
    query(dsn, "SELECT setval('user_id_seq', 40)")

    migrate(engine)

    assert add(dsn, "second@example.com") == 41


def test_what_the_go_system_left_empty_is_filled(dsn, engine):
    query(dsn, GO)
    query(dsn, "INSERT INTO users (email) VALUES ('bare@example.com')")
    query(dsn, "INSERT INTO users (email, updated_at) VALUES ('old@example.com', '2020-01-01')")

    migrate(engine)

    bare, old = query(
        dsn, "SELECT first_name, last_name, password, user_active, created_at::text FROM users ORDER BY id"
    )
    assert bare[:4] == ("", "", "", 0)
    assert bare[4] > "2026"
    assert old[4] == "2020-01-01 00:00:00"


def test_emails_that_users_share_stop_the_adoption_with_their_ids_and_nothing_is_changed(dsn, engine):
    query(dsn, GO)
    for number, email in (
        (1, "a@x.org"),
        (2, "b@x.org"),
        (5, "A@x.org"),
        (7, "B@X.ORG"),
        (8, "c@x.org"),
        (9, "a@X.org"),
    ):
        query(dsn, SHOP, number, email)
    before = shape(dsn)

    with pytest.raises(SchemaError, match=r"ids: 1, 5, 9; 2, 7\.") as refused:
        migrate(engine)

    assert "x.org" not in str(refused.value)
    assert shape(dsn) == before
    assert query(dsn, "SELECT count(*) FROM users") == [(6,)]
    assert query(dsn, "SELECT to_regclass('alembic_version'), to_regclass('outbox')") == [(None, None)]


def test_users_without_an_email_stop_the_adoption_with_their_ids(dsn, engine):
    query(dsn, GO)
    query(dsn, "INSERT INTO users (id, email) VALUES (3, NULL), (4, 'a@x.org'), (6, NULL)")

    with pytest.raises(SchemaError, match="ids 3, 6;"):
        migrate(engine)


def test_a_table_of_another_kind_is_left_alone(dsn, engine):
    query(dsn, "CREATE TABLE users (id integer, name text)")

    with pytest.raises(SchemaError, match="lacks created_at, email, first_name"):
        migrate(engine)

    assert set(shape(dsn)) == {"id", "name"}


def test_running_twice_changes_nothing(dsn, engine):
    migrate(engine)
    add(dsn, "first@example.com")
    before = shape(dsn)

    assert migrate(engine) == (HEAD, HEAD)

    assert shape(dsn) == before
    assert add(dsn, "second@example.com") == 2


def test_four_at_once_are_as_good_as_one(dsn, engine):
    query(dsn, GO)
    query(dsn, ADMIN, GO_HASH)

    with ThreadPoolExecutor(max_workers=4) as pool:
        moves = list(pool.map(lambda _: migrate(engine), range(4)))

    assert sorted(moves, key=str) == sorted([(None, HEAD)] + [(HEAD, HEAD)] * 3, key=str)


def test_a_downgrade_keeps_every_user_and_can_be_taken_back(dsn, engine):
    migrate(engine)
    add(dsn, "first@example.com")

    assert migrate(engine, to="0001") == (HEAD, "0001")
    assert query(dsn, "SELECT to_regclass('outbox')") == [(None,)]
    assert migrate(engine, to="base") == ("0001", None)
    query(dsn, "INSERT INTO users (email, first_name) VALUES ('go@example.com', NULL)")
    assert migrate(engine) == (None, HEAD)

    assert query(dsn, "SELECT id, email, first_name FROM users ORDER BY id") == [
        (1, "first@example.com", ""),
        (2, "go@example.com", ""),
    ]


def test_a_downgrade_that_would_lose_events_is_refused(dsn, engine):
    migrate(engine)
    query(dsn, "INSERT INTO outbox (id, exchange, routing_key, body) VALUES ('1', 'x', 'log.INFO', '{}')")

    with pytest.raises(SchemaError, match="1 events wait in the outbox"):
        migrate(engine, to="base")

    assert migrate(engine) == (HEAD, HEAD)


def test_an_unknown_revision_is_refused_in_words(engine):
    with pytest.raises(SchemaError, match="9999"):
        migrate(engine, to="9999")


def test_a_database_ahead_of_this_program_is_left_alone(dsn, engine):
    migrate(engine)
    query(dsn, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaError, match="9999"):
        migrate(engine)

    assert query(dsn, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_migrations_wait_for_users_of_the_table_and_not_for_ever(dsn):
    query(dsn, GO)
    impatient = create_postgres(dsn, pool_size=1, statement_ms=200)
    with closing(psycopg2.connect(dsn, connect_timeout=3)) as other:
        other.cursor().execute("SELECT * FROM users")

        with pytest.raises(Exception, match="the database cannot be used now"):
            migrate(impatient)

    assert migrate(impatient) == (None, HEAD)
    impatient.dispose()
