"""The short form of `make test-faults`: four faults, a writer for each protocol, nothing acknowledged lost and nothing stored twice."""

from __future__ import annotations

import pytest

from tests.faults import report
from tests.faults.all_doors import DOORS
from tests.faults.inject import PARTS, Stage
from tests.faults.row import run_row
from tests.waiting import eventually

NAMES = {"broker rpc", "broker amqp", "logger bulk", "grpc WriteLogs", "json-rpc LogInfo", "amqp with message_id"}
WRITERS = [door for door in DOORS if door.name in NAMES]


@pytest.mark.parametrize(
    ("part", "fault"), [("logger", "kill"), ("worker", "kill"), ("rabbitmq", "kill"), ("mongo", "pause")]
)
def test_nothing_acknowledged_is_lost_or_doubled_when_a_part_fails_under_load(system, part, fault):
    eventually(lambda: all(system.part(name)["state"] == "ready" for name in PARTS), seconds=30)

    row = run_row(Stage(system, pause_seconds=5), part, fault, WRITERS, calm=0.3)

    assert row.verdict.acknowledged > 100
    assert (row.verdict.lost, row.verdict.duplicated, row.verdict.wrong) == ([], [], [])
    assert report.findings(row) == []
