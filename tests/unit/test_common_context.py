from __future__ import annotations

import re
import subprocess
import sys

import pytest

from common import context
from common.ids import is_safe_id, new_record_id, object_id_hex
from tests.system import ROOT

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_trace_goes_on_with_a_span_of_its_own():
    continued = context.continue_context("req-1", TRACEPARENT)

    assert (continued.request_id, continued.trace_id) == ("req-1", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert continued.span_id != "00f067aa0ba902b7"
    assert continued.traceparent == f"00-{continued.trace_id}-{continued.span_id}-01"


@pytest.mark.parametrize(
    "unusable",
    [
        None,
        "",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "4bf92f3577b34da6a3ce929d0e0e4736",
    ],
)
def test_an_unusable_trace_is_replaced(unusable):
    made = context.continue_context(None, unusable)

    assert re.fullmatch(r"[0-9a-f]{32}", made.trace_id)
    assert made.trace_id != "4bf92f3577b34da6a3ce929d0e0e4736"


def test_headers_are_read_in_any_spelling_and_metadata_is_lower_case():
    read = context.from_headers({"x-REQUEST-id": "req-1", "TraceParent": TRACEPARENT, "other": 5})

    assert read.request_id == "req-1"
    assert read.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert {name for name, _ in read.metadata()} == {"x-request-id", "traceparent"}


def test_a_binding_ends_with_its_block_even_when_that_fails():
    outer = context.continue_context("outer", None)
    with context.bound(outer):
        with pytest.raises(ValueError, match="x"), context.bound(context.continue_context("inner", None)):
            raise ValueError("x")
        assert context.current() is outer
    assert context.current() is None


def test_new_record_ids_are_all_different_and_sort_by_time():
    made = [new_record_id() for _ in range(10_000)]

    assert len(set(made)) == len(made)
    assert [each[:8] for each in made] == sorted(each[:8] for each in made)


FORKING = """
import os
from common.ids import new_record_id
new_record_id()
reading, writing = os.pipe()
if not os.fork():
    os.write(writing, new_record_id().encode())
    os._exit(0)
os.wait()
print(os.read(reading, 24).decode(), new_record_id())
"""


def test_two_processes_of_one_service_never_give_the_same_id():
    told = subprocess.run(
        [sys.executable, "-c", FORKING], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    child, parent = told.stdout.split()
    # the time and what counts may be the same; the ten digits between them are each process's own
    assert child[8:18] != parent[8:18]


def test_any_id_has_one_object_id_and_an_object_id_is_its_own():
    own = new_record_id()

    assert object_id_hex(own) == own
    assert object_id_hex("order-1") == object_id_hex("order-1") != object_id_hex("order-2")
    assert re.fullmatch(r"[0-9a-f]{24}", object_id_hex("order-1"))


@pytest.mark.parametrize("unsafe", ["", " ", "a b", "a\nb", "ä", "x" * 129, "a;b", "a\x00"])
def test_an_id_that_could_break_a_header_or_a_line_is_not_safe(unsafe):
    assert not is_safe_id(unsafe)
