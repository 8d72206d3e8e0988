"""Documents found in a stream, however it is cut."""

from __future__ import annotations

import itertools
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.rpc.calls import MAX_MESSAGE
from common.rpc.jsonrpc.framing import DocumentStream, FramingError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
JSON_OBJECTS = st.dictionaries(st.text(), JSON_VALUES, max_size=4)


def values(stream: DocumentStream, data: bytes) -> list[object]:
    return [document.value for document in stream.feed(data)]


def fed_in_pieces(data: bytes, cuts: list[int]) -> list[object]:
    stream = DocumentStream()
    found: list[object] = []
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        found += values(stream, data[start:end])
    return found


@given(
    documents=st.lists(JSON_OBJECTS, min_size=1, max_size=5),
    separator=st.sampled_from([b"", b"\n", b" ", b"\r\n", b"\n\n\t"]),
    pretty=st.booleans(),
    cuts=st.lists(st.integers(0, 2000), max_size=8),
)
@settings(deadline=None)
def test_documents_survive_any_cut_any_separator_and_any_indent(documents, separator, pretty, cuts):
    option = orjson.OPT_INDENT_2 if pretty else 0
    data = separator.join(orjson.dumps(document, option=option) for document in documents) + separator

    assert fed_in_pieces(data, cuts) == documents


def test_a_document_is_there_as_soon_as_its_last_byte_is():
    stream = DocumentStream()

    assert values(stream, b'{"a":"\xc3') == []
    assert values(stream, b"\xa9\\") == []
    assert stream.buffered == 9
    assert values(stream, b'""}') == [{"a": 'é"'}]
    assert stream.buffered == 0


def test_good_documents_come_before_the_error_and_the_error_stays():
    stream = DocumentStream()
    found = []

    with pytest.raises(FramingError):
        found.extend(document.value for document in stream.feed(b'{"a":1}\n{"b":2}\nGET / HTTP/1.1\r\n'))
    with pytest.raises(FramingError):
        list(stream.feed(b'{"c":3}\n'))

    assert stream.buffered == len("GET / HTTP/1.1\r\n")
    assert found == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    "garbage",
    [
        b"G",
        b"\xef\xbb\xbf{}",
        b"\x00",
        b"}",
        b"{x",
        b"{]",
        b'{"a":1]',
        b'{"a":"\n',
        b'{"a":"\x01"}',
        b'{"a":tru}',
        b'{"a":NaN}',
        b'{"a":1,}',
        b'{"a" "b"}',
        b'{"a":01}',
        b"nil",
        b"[" * 1025,
        b'{"a":' * 1025,
    ],
)
def test_garbage_is_noticed_without_waiting_for_more(garbage):
    with pytest.raises(FramingError):
        list(DocumentStream().feed(garbage))


def test_a_document_may_have_the_full_size_and_not_a_byte_more():
    fitting = b'{"a":"%b"}' % (b"x" * (MAX_MESSAGE - 8))

    assert len(values(DocumentStream(), fitting)) == 1
    assert len(values(DocumentStream(), fitting + b"\n")) == 1
    for ending in (b"", b"\n"):
        with pytest.raises(FramingError, match="too long"):
            list(DocumentStream().feed(b" " + fitting.replace(b"x", b"xx", 1) + ending))


def test_an_endless_document_is_given_up_at_the_limit():
    stream = DocumentStream()
    list(stream.feed(b'{"a":"'))
    for _ in range(MAX_MESSAGE // 1024 - 1):
        list(stream.feed(b"x" * 1024))

    with pytest.raises(FramingError, match="too long"):
        list(stream.feed(b"x" * 1024))


def test_white_space_is_not_kept():
    stream = DocumentStream()

    for _ in range(3):
        list(stream.feed(b" \r\n\t" * 250_000))

    assert stream.buffered == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [(b'{"a":"\\ud800"}', "\ud800"), (b'{"a":"\xff"}', "\udcff"), (b'{"a":"\\ud83d\\ude00"}', "\U0001f600")],
)
@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_strings_that_are_no_unicode_are_marked_and_the_stream_goes_on(text, value, ending):
    marked, good = DocumentStream().feed(text + ending + b'{"b":1}')

    assert marked.value == {"a": value}
    assert marked.unicode is (value == "\U0001f600")
    assert (good.value, good.unicode) == ({"b": 1}, True)


def test_a_number_beyond_every_float_is_no_reason_to_complain_about_unicode():
    (document,) = DocumentStream().feed(b'{"a":1e999}\n')

    assert document.unicode


@pytest.mark.parametrize(
    ("head", "unit", "count", "tail"),
    [
        (b'{"a":[', b"[],", 340_000, b""),
        (b"", b"{}", 200_000, b"\n"),
        (b'{"a":["', b'","', 340_000, b""),
        (b"{", b"\n", 1_000_000, b""),
        (b'{"a":[\n', b"[],\n", 250_000, b""),
        (b'{"', b'\\"', 500_000, b""),
    ],
    ids=["open list", "no separator", "open strings", "blank lines", "many lines", "escapes"],
)
@pytest.mark.parametrize("segment", [128, MAX_MESSAGE])
def test_a_hostile_stream_costs_time_in_proportion_to_its_size(head, unit, count, tail, segment):
    quarter = cpu_seconds(head + unit * (count // 4) + tail, segment)
    whole = cpu_seconds(head + unit * count + tail, segment)

    assert whole < 8 * max(quarter, 0.05)


def cpu_seconds(data: bytes, segment: int) -> float:
    stream = DocumentStream()
    started = time.process_time()
    for start in range(0, len(data), segment):
        for _ in stream.feed(data[start : start + segment]):
            pass
    return time.process_time() - started
