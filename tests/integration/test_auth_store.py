"""One contract, two stores: what the use cases rely on holds in memory and in PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from auth.domain import LogEvent, NewUser
from auth.memory import MemoryStore
from auth.postgres.store import PostgresStore
from common.clock import SystemClock
from common.errors import ConflictError, UnavailableError
from common.postgres import create_postgres
from tests.auth.databases import own_database, query


class MemoryCase:
    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())

    def events(self) -> list[str]:
        return [event.data for event in self.store.events.recorded]


class PostgresCase:
    def __init__(self, dsn: str, engine) -> None:
        self.dsn = dsn
        self.notified = 0
        self.store = PostgresStore(engine, SystemClock(), on_events=self._count)

    def _count(self) -> None:
        self.notified += 1

    def events(self) -> list[str]:
        rows = query(self.dsn, "SELECT body FROM outbox ORDER BY created_at, id")
        return [orjson.loads(bytes(body))["data"] for (body,) in rows]


@pytest.fixture
def postgres(database):
    dsn, engine = database
    query(dsn, "TRUNCATE users, outbox RESTART IDENTITY")
    return PostgresCase(dsn, engine)


@pytest.fixture(params=["memory", "postgres"])
def case(request):
    return MemoryCase() if request.param == "memory" else request.getfixturevalue("postgres")


def new(email="Ann@Example.com", **changes):
    values = {"first_name": "Ann", "last_name": "Lee", "active": True, "password_hash": "hash"} | changes
    return NewUser(email, **values)


def add(case, user):
    with case.store.begin() as unit:
        return unit.users.add(user)


def find(case, email):
    with case.store.begin() as unit:
        return unit.users.find_by_email(email)


def test_a_user_is_found_as_it_was_added(case):
    added = add(case, new(first_name="Zoë", last_name="O'Neil", password_hash="$2b$04$x"))

    assert added.id == 1
    assert (added.email, added.first_name, added.last_name) == ("Ann@Example.com", "Zoë", "O'Neil")
    assert (added.active, added.password_hash) == (True, "$2b$04$x")
    assert find(case, "Ann@Example.com") == added


def test_times_are_aware_in_utc_and_now(case):
    added = add(case, new())

    assert added.created_at.tzinfo is UTC
    assert added.updated_at == added.created_at
    assert abs(datetime.now(UTC) - added.created_at) < timedelta(seconds=30)


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@EXAMPLE.COM"])
def test_letter_case_does_not_matter(case, email):
    add(case, new())

    assert find(case, email).email == "Ann@Example.com"


@pytest.mark.parametrize("email", ["", "ann", "ann@example.co_", "%", "ann@example.com'--"])
def test_an_unknown_email_finds_nobody(case, email):
    add(case, new())

    assert find(case, email) is None


def test_an_email_is_taken_once_whatever_its_case(case):
    add(case, new())

    with pytest.raises(ConflictError):
        add(case, new("ANN@example.com"))

    assert find(case, "ann@example.com").id == 1


def test_an_inactive_user_stays_inactive(case):
    add(case, new(active=False))

    assert find(case, "ann@example.com").active is False


def test_a_hash_is_replaced_only_while_it_is_the_known_one(case):
    first = add(case, new())
    with case.store.begin() as unit:
        unit.users.replace_hash(first, "fresh")
    with case.store.begin() as unit:
        unit.users.replace_hash(first, "late")

    kept = find(case, "ann@example.com")
    assert kept.password_hash == "fresh"
    assert kept.updated_at == first.updated_at


def test_an_event_is_kept_with_the_change_it_tells_about(case):
    with case.store.begin() as unit:
        unit.users.add(new())
        unit.events.record(LogEvent("INFO", "added"))

    assert case.events() == ["added"]
    assert find(case, "ann@example.com") is not None


def test_a_failure_takes_back_the_change_and_the_event(case):
    def fail():
        with case.store.begin() as unit:
            unit.users.add(new())
            unit.events.record(LogEvent("INFO", "added"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert case.events() == []
    assert find(case, "ann@example.com") is None


def test_of_eight_who_take_the_same_email_at_once_one_gets_it(case):
    def attempt(number):
        try:
            return add(case, new(f"{'SAME' if number % 2 else 'same'}@example.com")).id
        except ConflictError:
            return None

    with ThreadPoolExecutor(max_workers=8) as pool:
        ids = list(pool.map(attempt, range(8)))

    assert len([each for each in ids if each is not None]) == 1


def test_the_relay_is_told_after_a_commit_with_events_only(postgres):
    add(postgres, new())
    assert postgres.notified == 0

    with postgres.store.begin() as unit:
        unit.events.record(LogEvent("INFO", "x"))
        unit.events.record(LogEvent("INFO", "y"))
        assert postgres.notified == 0

    assert postgres.notified == 1


def test_only_one_means_active_in_the_column(postgres):
    query(postgres.dsn, "INSERT INTO users (email, password, user_active) VALUES ('two@example.com', 'x', 2)")

    assert find(postgres, "two@example.com").active is False


def test_without_its_tables_the_store_says_what_to_do(system):
    with own_database(system.env["POSTGRES_ADMIN_DSN"]) as dsn:
        engine = create_postgres(dsn, pool_size=1)
        with pytest.raises(UnavailableError, match="python -m auth setup"):
            PostgresStore(engine, SystemClock()).check()
        engine.dispose()


def test_a_database_that_is_away_is_told_in_our_own_words():
    engine = create_postgres("host=127.0.0.1 port=1 user=auth password=hunter2 dbname=users", pool_size=1)
    store = PostgresStore(engine, SystemClock())

    with pytest.raises(UnavailableError, match=r"^the database cannot be used now$"), store.begin():
        pass
