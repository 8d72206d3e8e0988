from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from auth import gate as gate_module
from auth.gate import Gate, gate_for
from auth.passwords import NICENESS, BcryptPasswords, hash_password
from common.errors import TooManyError
from tests.waiting import eventually


@pytest.fixture
def passwords():
    return BcryptPasswords(cost=4, gate=Gate(slots=1, waiting=0))


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_go_and_php_are_accepted_as_well_as_our_own(passwords, prefix):
    stored = hash_password("pässword", cost=4).replace("$2b$", prefix)

    assert passwords.matches("pässword", stored)
    assert not passwords.matches("password", stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "verysecret",
        "$2b$04$short",
        "$2b$31$" + "." * 53,
        "$2b$03$" + "." * 53,
        "$2b$04$" + "z" * 53,
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
        hash_password("x", cost=4) + "\n",
    ],
)
def test_a_stored_value_that_is_no_usable_hash_matches_nothing_and_raises_nothing(passwords, stored):
    assert not passwords.matches("x", stored)
    assert passwords.is_outdated(stored)


def test_nobody_has_no_password(passwords):
    assert not passwords.matches("", None)
    assert not passwords.matches("verysecret", None)


def test_a_hash_is_outdated_when_its_cost_is_another(passwords):
    assert not passwords.is_outdated(hash_password("x", cost=4))
    assert passwords.is_outdated(hash_password("x", cost=5))


def test_a_full_gate_refuses_a_check_with_a_time_to_retry():
    gate = Gate(slots=1, waiting=0)
    passwords = BcryptPasswords(cost=4, gate=gate)

    with gate.pass_through(), pytest.raises(TooManyError) as refused:
        passwords.matches("x", None)

    assert refused.value.retry_after == 2
    assert not passwords.matches("x", None)


def test_a_full_queue_refuses_at_once_and_not_after_a_wait():
    gate = Gate(slots=1, waiting=0, patience=30)

    with gate.pass_through():
        started = time.monotonic()
        with pytest.raises(TooManyError), gate.pass_through():
            pass

    assert time.monotonic() - started < 10


def test_who_waits_longer_than_the_gate_is_patient_is_refused_and_leaves_no_trace():
    gate = Gate(slots=1, waiting=1, patience=0.01)

    with gate.pass_through():
        for _ in range(3):
            with pytest.raises(TooManyError), gate.pass_through():
                pass

    with gate.pass_through():
        pass


def test_a_failure_inside_gives_the_slot_back():
    gate = Gate(slots=1, waiting=0)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError), gate.pass_through():
            raise ZeroDivisionError


def test_no_more_than_the_slots_work_at_once_a_bounded_number_waits_and_the_rest_is_refused():
    gate = Gate(slots=2, waiting=3)
    opened = threading.Event()
    lock = threading.Lock()
    inside, most, refused = 0, 0, 0

    def attempt():
        nonlocal inside, most, refused
        try:
            with gate.pass_through():
                with lock:
                    inside += 1
                    most = max(most, inside)
                opened.wait(10)
                with lock:
                    inside -= 1
        except TooManyError:
            with lock:
                refused += 1

    with ThreadPoolExecutor(max_workers=9) as pool:
        attempts = [pool.submit(attempt) for _ in range(9)]
        try:
            eventually(lambda: refused == 4 and inside == 2)
        finally:
            opened.set()
        for each in attempts:
            each.result(timeout=10)

    assert (most, refused, inside) == (2, 4, 0)


@pytest.mark.parametrize(("threads", "most"), [(4, 3), (16, 12), (1000, 66)])
def test_logins_never_take_every_thread_and_never_more_slots_than_cores(monkeypatch, threads, most):
    monkeypatch.setattr(gate_module.os, "sched_getaffinity", lambda _pid: {0, 1})
    gate = gate_for(threads)

    assert gate._room._value == most
    assert gate.slots == min(2, most // 2)


def test_a_check_gives_way_to_everything_else_that_wants_a_core(monkeypatch, passwords):
    priorities: list[int] = []

    def note(_password: bytes, _stored: bytes) -> bool:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return True

    monkeypatch.setattr("auth.passwords.bcrypt.checkpw", note)
    passwords.matches("verysecret", None)

    assert priorities == [min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)]
