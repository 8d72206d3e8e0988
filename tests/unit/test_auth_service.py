from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auth import passwords as passwords_module
from auth.domain import LogEvent, NewUser, login_refused
from auth.gate import Gate
from auth.memory import MemoryStore
from auth.passwords import BcryptPasswords, hash_password
from auth.service import Authentication, Registration
from common.clock import FixedClock
from common.errors import ConflictError, TooManyError, UnauthenticatedError

COST = 5
# Made by the Go system; the password is verysecret.
GO_HASH = "$2a$12$1zGLuYDDNvATh4RA4avbKuheAMpb1svexSzrQm7up.bnpwQHs0jNe"


@pytest.fixture
def store():
    return MemoryStore(FixedClock(datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.fixture
def passwords():
    return BcryptPasswords(cost=COST, gate=Gate(slots=1, waiting=0))


@pytest.fixture
def authentication(store, passwords):
    return Authentication(store, passwords)


def add(store, email, *, active=True, stored=None):
    return store.users.add(NewUser(email, "A", "B", active, stored or hash_password("verysecret", cost=COST)))


@pytest.fixture
def checks(monkeypatch):
    """The cost of each bcrypt check and of each hash made, in order."""
    done = []
    check, make = passwords_module.bcrypt.checkpw, passwords_module.bcrypt.hashpw

    def counted_check(password, stored):
        done.append(("check", int(stored.split(b"$")[2])))
        return check(password, stored)

    def counted_make(password, salt):
        done.append(("hash", int(salt.split(b"$")[2])))
        return make(password, salt)

    monkeypatch.setattr(passwords_module.bcrypt, "checkpw", counted_check)
    monkeypatch.setattr(passwords_module.bcrypt, "hashpw", counted_make)
    return done


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("known@example.com", "wrong"),
        ("unknown@example.com", "verysecret"),
        ("inactive@example.com", "verysecret"),
        ("inactive@example.com", "wrong"),
        ("broken@example.com", "verysecret"),
    ],
)
def test_every_refusal_costs_exactly_one_check_of_the_same_cost(store, authentication, checks, email, password):
    add(store, "known@example.com")
    add(store, "inactive@example.com", active=False)
    add(store, "broken@example.com", stored="not a hash")
    checks.clear()

    with pytest.raises(UnauthenticatedError, match=r"^invalid credentials$"):
        authentication.login(email, password)

    assert checks == [("check", COST)]


def test_a_login_costs_one_check_as_well(store, authentication, checks):
    add(store, "known@example.com")
    checks.clear()

    authentication.login("known@example.com", "verysecret")

    assert checks == [("check", COST)]


def test_no_transaction_is_open_while_a_password_is_checked(store, authentication, monkeypatch):
    add(store, "known@example.com")
    check = passwords_module.bcrypt.checkpw
    seen = []

    def looking(password, stored):
        seen.append(store._lock.locked())
        return check(password, stored)

    monkeypatch.setattr(passwords_module.bcrypt, "checkpw", looking)

    authentication.login("known@example.com", "verysecret")

    assert seen == [False]


def test_a_login_and_a_refusal_are_recorded_each_with_its_level(store, authentication):
    add(store, "Known@example.com")

    authentication.login("known@example.com", "verysecret")
    for email in ("known@example.com", "unknown@example.com"):
        with pytest.raises(UnauthenticatedError):
            authentication.login(email, "wrong")

    assert store.events.recorded == [
        LogEvent("INFO", "Known@example.com logged in"),
        LogEvent("WARNING", "login refused for known@example.com"),
        LogEvent("WARNING", "login refused for unknown@example.com"),
    ]
    assert {(event.name, event.category) for event in store.events.recorded} == {("authentication", "audit")}


def test_a_long_email_is_cut_in_the_record_of_its_refusal():
    assert login_refused("x" * 100).data == "login refused for " + "x" * 100
    assert login_refused("x" * 101).data == "login refused for " + "x" * 100 + "…"


def test_a_hash_of_another_cost_is_replaced_at_the_next_login_and_the_user_stays_the_same(store, authentication):
    user = add(store, "go@example.com", stored=GO_HASH)

    authentication.login("go@example.com", "verysecret")

    kept = store.users.rows[user.id]
    assert kept.password_hash.startswith(f"$2b${COST:02}$")
    assert kept.updated_at == user.updated_at
    assert authentication.login("go@example.com", "verysecret").id == user.id


@pytest.mark.parametrize(("password", "active"), [("wrong", True), ("verysecret", False)])
def test_a_refused_login_never_changes_the_stored_hash(store, authentication, password, active):
    user = add(store, "go@example.com", active=active, stored=hash_password("verysecret", cost=4))

    with pytest.raises(UnauthenticatedError):
        authentication.login("go@example.com", password)

    assert store.users.rows[user.id] == user


def test_a_password_changed_during_a_login_is_not_overwritten_by_the_new_hash(store):
    user = add(store, "go@example.com", stored=hash_password("verysecret", cost=4))
    store.users.replace_hash(user, "changed meanwhile")

    store.users.replace_hash(user, "the login's fresh hash")

    assert store.users.rows[user.id].password_hash == "changed meanwhile"


def test_a_login_succeeds_even_when_there_is_no_room_for_a_new_hash(store, passwords, authentication, monkeypatch):
    user = add(store, "go@example.com", stored=hash_password("verysecret", cost=4))

    def no_room(_password):
        raise TooManyError("full")

    monkeypatch.setattr(passwords, "hash", no_room)

    assert authentication.login("go@example.com", "verysecret") == user
    assert store.users.rows[user.id] == user


def test_a_new_user_can_log_in_and_is_recorded(store, passwords, authentication):
    Registration(store, passwords).register("new@example.com", "longenough", first_name="N", last_name="U", active=True)

    assert store.events.recorded == [LogEvent("INFO", "user new@example.com was created")]
    assert authentication.login("new@example.com", "longenough").first_name == "N"


def test_an_email_is_taken_whatever_its_case(store, passwords):
    add(store, "taken@example.com")

    with pytest.raises(ConflictError):
        Registration(store, passwords).register(
            "TAKEN@example.com", "longenough", first_name="", last_name="", active=True
        )
    assert store.events.recorded == []
