"""The port plan: what moves, what clashes, and what is said about it."""

from __future__ import annotations

import os
import socket

import pytest

from compose.local import holders
from compose.local.ports import PORTS, PortError, chosen, clashes, detours, free_block, is_free


def listening() -> socket.socket:
    """Below the ephemeral range, where a taken port is not tried again."""
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", free_ports()["BROKER_PORT"]))
    door.listen()
    return door


def free_ports() -> dict[str, int]:
    plan, lock = free_block()
    os.close(lock)
    return plan


def test_without_wishes_every_port_is_the_documented_one():
    plan = chosen({})

    assert plan == {port.name: port.default for port in PORTS}


def test_a_wish_moves_one_port_and_no_other():
    plan = chosen({"BROKER_PORT": "9080"})

    assert plan["BROKER_PORT"] == 9080
    assert {name: number for name, number in plan.items() if name != "BROKER_PORT"} == {
        port.name: port.default for port in PORTS if port.name != "BROKER_PORT"
    }


@pytest.mark.parametrize("wish", ["http", "0", "65536", "-1", "80.5", "٨٠٨٠"])
def test_what_is_no_port_number_is_refused_by_name(wish):
    with pytest.raises(PortError, match=r"AUTH_PORT=.* is no port number"):
        chosen({"AUTH_PORT": wish})


def test_two_parts_on_one_port_are_refused_before_anything_starts():
    with pytest.raises(PortError, match="AUTH_PORT and BROKER_PORT are both 8080"):
        chosen({"AUTH_PORT": "8080"})


def test_a_listener_makes_a_port_taken_and_its_end_frees_it():
    with listening() as door:
        number = door.getsockname()[1]
        assert not is_free("127.0.0.1", number)

    assert is_free("127.0.0.1", number)


def test_every_taken_port_is_reported_and_only_those_of_parts_that_start():
    with listening() as first, listening() as second:
        taken, other = first.getsockname()[1], second.getsockname()[1]
        plan = {**free_ports(), "VALKEY_PORT": taken, "MONGO_PORT": other}

        assert [port.name for port in clashes(plan, ["valkey", "postgres"], "127.0.0.1")] == ["VALKEY_PORT"]
        assert {port.name for port in clashes(plan, ["valkey", "mongo"], "127.0.0.1")} == {"VALKEY_PORT", "MONGO_PORT"}


def test_two_callers_never_get_the_same_block_of_free_ports():
    first, first_lock = free_block()
    second, second_lock = free_block()
    os.close(first_lock)
    os.close(second_lock)

    assert not set(first.values()) & set(second.values())
    assert all(20000 <= number < 32768 for number in (*first.values(), *second.values()))


def test_the_holder_of_a_port_is_named():
    with listening() as door:
        assert f"(pid {os.getpid()})" in str(holders.holder(door.getsockname()[1]))


def test_nobody_holds_a_free_port():
    with listening() as door:
        number = door.getsockname()[1]

    assert holders.holder(number) is None


def test_detours_are_read_as_names_of_ports_and_numbers():
    assert detours(["MONGO_PORT=12001", "RABBIT_PORT=12002"]) == {"MONGO_PORT": 12001, "RABBIT_PORT": 12002}


@pytest.mark.parametrize("word", ["MONGO_PORT", "MONGO_PORT=", "MONGO_PORT=x", "MONGO=12001"])
def test_what_is_no_detour_is_refused_by_name(word):
    with pytest.raises(PortError, match="MONGO"):
        detours([word])
