"""The primitives of gob and the values built of them, against the examples of its documentation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.rpc.gob import GobError
from common.rpc.gob.values import ValueStream
from common.rpc.gob.wire import Reader, message, signed, string, uint


@pytest.mark.parametrize(("number", "wire"), [(0, "00"), (7, "07"), (127, "7f"), (128, "ff80"), (256, "fe0100")])
def test_unsigned_integers_are_written_as_documented(number, wire):
    assert uint(number).hex() == wire
    assert Reader(bytes.fromhex(wire)).uint() == number


@pytest.mark.parametrize(("number", "wire"), [(0, "00"), (-1, "01"), (7, "0e"), (-129, "fe0101"), (-65, "ff81")])
def test_signed_integers_are_written_as_documented(number, wire):
    assert signed(number).hex() == wire
    assert Reader(bytes.fromhex(wire)).signed() == number


def test_floats_are_read_with_their_bytes_reversed():
    assert Reader(bytes.fromhex("fe3140")).double() == 17.0


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_comes_back(number):
    assert Reader(signed(number)).signed() == number


@given(st.text())
def test_every_text_comes_back(text):
    reader = Reader(string(text))

    assert reader.string() == text
    assert reader.left == 0


def test_a_go_string_that_is_no_utf8_is_read_with_its_bytes_as_surrogates():
    assert Reader(b"\x02\xff\xfe").string() == "\udcff\udcfe"


@pytest.mark.parametrize("wire", ["", "ff", "fe01", "80", "f7010203040506070809"])
def test_an_integer_that_is_cut_or_longer_than_64_bits_is_refused(wire):
    with pytest.raises(GobError):
        Reader(bytes.fromhex(wire)).uint()


@pytest.mark.parametrize("wire", ["0200", "f8ffffffffffffffff"])
def test_a_length_is_not_believed_beyond_the_message(wire):
    with pytest.raises(GobError):
        Reader(bytes.fromhex(wire)).blob()
    with pytest.raises(GobError):
        Reader(bytes.fromhex(wire)).count()


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        ("0200" + "01", True),
        ("0400" + "0e", 7),
        ("0600" + "07", 7),
        ("0800" + "fe3140", 17.0),
        ("0a00" + "02ffff", b"\xff\xff"),
        ("0c00" + "026869", "hi"),
        ("0e00" + "fef03f" + "fe0840", 1 + 3j),
        ("1000" + "00", None),
    ],
)
def test_a_value_of_a_built_in_type_stands_on_its_own(payload, content):
    (value,) = ValueStream().feed(message(bytes.fromhex(payload)))

    assert value.content == content
    assert value.struct is None


@pytest.mark.parametrize(
    "payload",
    [
        "0c01026869",  # no zero byte before what is no struct
        "0c0002686900",  # a byte too many
        "0c00",  # no value
        "f8000000000000000000",  # nonsense
        "0000",  # type 0
        "ff8400",  # type 66, not defined
        "12",  # type 9, reserved
    ],
)
def test_a_malformed_value_ends_the_stream(payload):
    with pytest.raises(GobError):
        list(ValueStream().feed(message(bytes.fromhex(payload))))
