"""Rules that a machine can hold: sizes, where the environment is read, what every route declares, what every call limits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import ROOT

SERVICES = ("auth", "broker", "frontend", "logger", "mailer", "worker")
CODE = (*SERVICES, "common", "compose", "protos")
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "_pb2" not in path.name and "versions" not in path.parts:
                yield path


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_modules_and_functions_stay_readable():
    too_long = []
    for path in modules(*CODE):
        text = path.read_text()
        if text.count("\n") > MAX_MODULE_LINES:
            too_long.append(f"{short(path)}: {text.count(chr(10))} lines")
        too_long += [
            f"{short(path)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
        ]

    assert too_long == []


def test_every_module_says_why_it_exists():
    silent = [short(path) for path in modules(*CODE) if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def test_only_settings_read_the_environment():
    readers = [
        short(path)
        for path in modules(*SERVICES, "common", "protos")
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text()) and path.name != "settings.py"
    ]

    assert readers == []


@pytest.mark.parametrize(
    ("call", "limit"),
    [
        (r"(requests\.(get|post|put|delete|request)|\bsession\.request)\(", "timeout="),
        (r"return method\(request", "timeout=timeout or self._timeout"),
        (r"socket\.create_connection\(", "timeout="),
        (r"psycopg2\.connect\(", "connect_timeout="),
        (r"MongoClient\(", "serverSelectionTimeoutMS="),
        (r"= Connection\($", "connect_timeout="),
        (r"HTTPConnection\([^)]", "timeout="),
    ],
)
def test_every_network_call_names_its_limit(call, limit):
    without, seen = [], 0
    for path in modules(*SERVICES, "common"):
        text = path.read_text()
        seen += len(re.findall(call, text, re.MULTILINE))
        without += [
            f"{short(path)}: {found.group()}"
            for found in re.finditer(call, text, re.MULTILINE)
            if limit not in text[found.start() : found.start() + 600]
        ]

    assert without == []
    assert seen, "nothing calls it any more: this row guards nothing"


# `patiently` is told its limit; the worker's pause looks for a stop signal every second, on a loop that offers no event.
SLEEPERS = {"common/lifecycle.py", "worker/patient_consumer.py"}


def test_services_wait_for_events_that_a_stop_can_interrupt_instead_of_sleeping():
    sleepers = [
        short(path)
        for path in modules(*SERVICES, "common")
        if "time.sleep(" in path.read_text() and short(path) not in SLEEPERS
    ]

    assert sleepers == []
