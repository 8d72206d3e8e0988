"""Which rows of the ledger test may be named, and that people are told."""

from __future__ import annotations

import pytest

from tests.faults import __main__ as faults
from tests.faults.inject import every_row, listed


def test_every_part_is_listed_with_all_its_faults():
    told = {line.split(":")[0].strip(): line.split(":")[1].strip().split(", ") for line in listed().splitlines()}

    assert [(part, fault) for part, found in told.items() for fault in found] == every_row()
    assert told["all"] == ["kill"]
    assert told["logger+rabbitmq"] == ["pause", "cut", "crash"]


def test_an_unknown_name_is_answered_with_all_there_are(capsys):
    assert faults.main(["--only", "nobody"]) == 2

    assert listed() in capsys.readouterr().out


def test_the_help_lists_them_too(capsys):
    with pytest.raises(SystemExit):
        faults.main(["--help"])

    assert listed() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("only", "rows"),
    [
        ("all", [("all", "kill")]),
        ("valkey", [("valkey", "kill"), ("valkey", "pause"), ("valkey", "restart")]),
        (":crash,mongo:cut", [("mongo", "cut"), ("logger+rabbitmq", "crash")]),
    ],
)
def test_rows_are_chosen_by_part_fault_or_both(only, rows):
    assert faults._selected(only) == rows
