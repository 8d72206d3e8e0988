from __future__ import annotations

import re

import pytest

from auth.settings import AuthSettings
from broker.settings import BrokerSettings
from common.settings import Settings, load
from frontend.settings import FrontendSettings
from logger.settings import LoggerSettings
from mailer.settings import MailerSettings
from tests.system import ROOT
from worker.settings import WorkerSettings

ALL: list[type[Settings]] = [
    AuthSettings,
    BrokerSettings,
    FrontendSettings,
    LoggerSettings,
    MailerSettings,
    WorkerSettings,
]


def example() -> dict[str, str]:
    """The services' part of .env.example; the runner's own block comes after it."""
    text = (ROOT / ".env.example").read_text().split("# --- local runner")[0]
    return dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def test_the_example_names_every_variable_and_no_other():
    read = {name.upper() for settings in ALL for name in settings.model_fields}

    assert set(example()) == read


@pytest.mark.parametrize("settings", ALL, ids=lambda each: each.__name__)
def test_the_example_holds_the_defaults(settings, monkeypatch):
    for name in example():
        monkeypatch.delenv(name, raising=False)
    defaults = settings()

    for name, value in example().items():
        monkeypatch.setenv(name, value)

    assert settings() == defaults


@pytest.mark.parametrize("settings", ALL, ids=lambda each: each.__name__)
def test_every_setting_may_come_from_a_file(settings, monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("WARNING\n")
    monkeypatch.setenv("LOG_LEVEL_FILE", str(tmp_path / "secret"))
    monkeypatch.delenv("LOG_LEVEL", raising=False)

    assert load(settings).log_level == "WARNING"


def test_every_problem_is_told_at_once_and_no_value_is_shown(monkeypatch, capsys):
    monkeypatch.setenv("BROKER_PORT", "hunter2")
    monkeypatch.setenv("HTTP_TIMEOUT", "-1")

    with pytest.raises(SystemExit) as stopped:
        load(BrokerSettings)

    told = capsys.readouterr().err
    assert stopped.value.code == 2
    assert "BROKER_PORT" in told
    assert "HTTP_TIMEOUT" in told
    assert "hunter2" not in told
