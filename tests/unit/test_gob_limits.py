"""Gob parses what strangers send: every bomb must end in a GobError, soon and without much memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.rpc.calls import MAX_MESSAGE
from common.rpc.gob import CallDecoder, GobError, ReplyDecoder
from common.rpc.gob.definitions import define_struct
from common.rpc.gob.typedefs import MAX_FIELDS, MAX_TYPES
from common.rpc.gob.values import ValueStream
from common.rpc.gob.wire import message, signed, string, uint

GOLDEN = Path(__file__).resolve().parents[2] / "protos" / "golden"
RECORDINGS = [path.read_bytes() for path in sorted(GOLDEN.glob("gob_*.bin"))]
NODE = 65
LIST, ARRAY, MAP = b"\x02", b"\x01", b"\x04"  # distance to the member of wireType


def define_container(type_id: int, kind: bytes, *members: int) -> bytes:
    common = b"\x01" + b"\x02" + signed(type_id) + b"\0"
    rest = b"".join(b"\x01" + signed(member) for member in members)
    return message(signed(-type_id) + kind + common + rest + b"\0\0")


def define_node(type_id: int, child: int) -> bytes:
    common = b"\x01\x02" + signed(type_id) + b"\0"
    field = b"\x01" + string("Child") + b"\x01" + signed(child) + b"\0"
    return message(signed(-type_id) + b"\x03" + common + b"\x01\x01" + field + b"\0\0")


def read(stream: bytes) -> list[object]:
    return [value.content for value in ValueStream().feed(stream)]


def test_the_bricks_of_these_tests_are_sound():
    assert read(define_node(NODE, NODE) + message(signed(NODE) + b"\x01" * 3 + b"\0" * 4)) == [
        {"Child": {"Child": {"Child": {}}}}
    ]
    assert read(define_container(NODE, LIST, 2) + message(signed(NODE) + b"\0\x02\x02\x01")) == [[1, -1]]
    assert read(define_container(NODE, ARRAY, 2, 2) + message(signed(NODE) + b"\0\x02\x02\x01")) == [[1, -1]]
    assert read(define_container(NODE, MAP, 2, 2) + message(signed(NODE) + b"\0\x01\x02\x01")) == [{1: -1}]
    assert read(define_container(NODE, LIST, NODE) + message(signed(NODE) + b"\0\x02\0\x01\0")) == [[[], [[]]]]


@pytest.mark.parametrize(
    ("definition", "lead"),
    [(define_node(NODE, NODE), b""), (define_container(NODE, LIST, NODE), b"\0")],
    ids=["struct in itself", "list of itself"],
)
def test_a_recursive_type_is_followed_to_the_depth_limit_only(definition, lead):
    with pytest.raises(GobError, match="nested too deeply"):
        read(definition + message(signed(NODE) + lead + b"\x01" * 100_000))


def test_types_that_contain_each_other_are_followed_to_the_depth_limit_only():
    stream = define_node(65, 66) + define_node(66, 65) + message(signed(65) + b"\x01" * 100_000)

    with pytest.raises(GobError, match="nested too deeply"):
        read(stream)


@pytest.mark.parametrize("kind", [LIST, ARRAY, MAP])
@pytest.mark.parametrize("count", [2**63, 2**40, 100])
def test_a_huge_count_is_refused_before_anything_is_allocated(kind, count):
    members = {LIST: (2,), ARRAY: (2, count // 2), MAP: (2, 2)}[kind]
    stream = define_container(NODE, kind, *members) + message(signed(NODE) + b"\0" + uint(count) + b"\0" * 10)

    tracemalloc.start()
    with pytest.raises(GobError, match=r"count|length"):
        read(stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1_000_000


def test_a_megabyte_of_empty_lists_is_refused():
    stream = define_container(65, LIST, 66) + define_container(66, LIST, 2)

    with pytest.raises(GobError, match="too many values"):
        read(stream + message(signed(65) + b"\0" + uint(1_000_000) + b"\0" * 1_000_000))


def test_an_array_of_another_length_than_defined_is_refused():
    with pytest.raises(GobError, match="length"):
        read(define_container(NODE, ARRAY, 2, 3) + message(signed(NODE) + b"\0\x02\x02\x02"))


def test_an_array_of_negative_length_is_refused():
    with pytest.raises(GobError, match="bad array length"):
        read(define_container(NODE, ARRAY, 2, -1))


def test_a_struct_as_key_of_a_map_is_read_though_a_dict_cannot_hold_it():
    stream = define_struct(65, "Key", ("A",)) + define_container(66, MAP, 65, 2)

    assert read(stream + message(signed(66) + b"\0\x01" + b"\x01\x01k\0" + b"\x04")) == [{"{'A': 'k'}": 2}]


def test_thousands_of_types_are_refused():
    stream = b"".join(define_struct(65 + number, "T", ()) for number in range(MAX_TYPES))
    read(stream)

    with pytest.raises(GobError, match="too many types"):
        read(stream + define_struct(65 + MAX_TYPES, "T", ()))


def test_thousands_of_fields_are_refused():
    stream = define_struct(65, "T", ["F"] * (MAX_FIELDS - 1)) + define_struct(66, "T", ["F"])
    read(stream)

    with pytest.raises(GobError, match="too many types"):
        read(stream + define_struct(67, "T", ["F"]))


def test_definitions_that_are_large_by_their_names_are_refused():
    with pytest.raises(GobError, match="too many types"):
        read(define_struct(65, "T" * 40_000, ()) + define_struct(66, "T" * 40_000, ()))


@pytest.mark.parametrize("type_id", [0, 1, 16, 63])
def test_built_in_types_cannot_be_replaced(type_id):
    with pytest.raises(GobError):
        read(define_struct(type_id, "T", ()))


def test_a_type_cannot_be_defined_twice():
    with pytest.raises(GobError, match="twice"):
        read(define_struct(65, "T", ()) * 2)


def test_a_field_beyond_the_struct_is_refused():
    with pytest.raises(GobError, match="field beyond"):
        read(define_struct(65, "T", ("A",)) + message(signed(65) + b"\x02\x01a\0"))


@pytest.mark.parametrize("length", [uint(0), uint(MAX_MESSAGE + 1), uint(2**63), b"\x80"])
def test_an_empty_or_oversized_message_is_refused_by_its_length_alone(length):
    with pytest.raises(GobError):
        list(ValueStream().feed(length))


def test_a_message_of_the_full_size_is_read():
    text = "x" * (MAX_MESSAGE - 6)

    assert read(message(b"\x0c\0" + string(text))) == [text]


def test_half_a_message_is_waited_for():
    stream = ValueStream()

    assert list(stream.feed(uint(MAX_MESSAGE) + b"\x0c")) == []
    assert stream.buffered == 5


def interface(definitions: bytes, value: bytes) -> bytes:
    boxed = string("main.T") + definitions + signed(66) + uint(len(value)) + value
    return define_container(65, LIST, 8) + message(signed(65) + b"\0\x02" + boxed + b"\0")


def test_a_type_defined_inside_an_interface_is_learnt_and_its_value_stepped_over():
    definition = define_struct(66, "T", ("A",))[1:]
    stream = interface(definition + uint(9), b"\x01\x01a\0") + message(signed(66) + b"\x01\x01b\0")

    assert read(stream) == [[None, None], {"A": "b"}]


def test_definitions_inside_an_interface_count_towards_the_limit():
    definitions = b"".join(define_struct(66 + number, "T", ())[1:] + b"\x01" for number in range(MAX_TYPES))

    with pytest.raises(GobError, match="too many types"):
        read(interface(definitions, b"\0"))


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=300)
def test_random_bytes_raise_nothing_but_gob_errors(data):
    survives(data)


@given(
    recording=st.sampled_from(RECORDINGS),
    changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(deadline=None, max_examples=1000)
def test_mutated_recordings_raise_nothing_but_gob_errors_and_take_no_time(recording, changes):
    mutated = bytearray(recording[:2000])
    for position, byte in changes:
        mutated[position % len(mutated)] = byte
    started = time.process_time()

    survives(bytes(mutated))

    assert time.process_time() - started < 0.5


@given(
    pieces=st.lists(st.tuples(st.sampled_from(RECORDINGS), st.integers(0, 300), st.integers(0, 300)), max_size=5),
)
@settings(deadline=None, max_examples=300)
def test_spliced_recordings_raise_nothing_but_gob_errors(pieces):
    survives(b"".join(recording[start : start + length] for recording, start, length in pieces))


def survives(data: bytes) -> None:
    for decoder in (CallDecoder(), ReplyDecoder()):
        try:
            for _ in decoder.feed(data):
                pass
        except GobError:
            continue
