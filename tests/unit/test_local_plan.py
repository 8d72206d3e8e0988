"""The plan: which parts there are, what gates their start, and what the commands say without a running system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from compose.local import bootstrap, environment
from compose.local.cli import main
from compose.local.paths import ROOT, instance
from compose.local.plan import Plan, UnknownPartError, load, with_needs
from compose.local.ports import chosen


@pytest.fixture
def plan(tmp_path):
    at = instance("test", str(tmp_path))
    at.make_folders()
    return Plan(at, chosen({}), environment.service_values(chosen({}), {}))


def test_all_services_and_servers_are_parts(plan):
    services = {"auth", "broker", "frontend", "keeper", "logger", "mailer", "worker"}

    assert services | {"postgres", "mongo", "rabbitmq", "valkey", "mailbox", "epmd", "auth-setup"} == set(plan.parts())


def test_every_part_that_is_needed_or_used_exists(plan):
    parts = plan.parts()

    assert not [name for part in parts.values() for name in (*part.needs, *part.uses) if name not in parts]


def test_naming_a_part_starts_what_gates_it_and_nothing_else(plan):
    assert with_needs(plan.parts(), ["auth"]) == ("postgres", "auth-setup", "auth")
    assert with_needs(plan.parts(), ["frontend"]) == ("frontend",)


def test_an_unknown_part_is_answered_with_the_known_ones(plan):
    with pytest.raises(UnknownPartError, match="no part 'atuh'; the parts are: postgres, mongo"):
        with_needs(plan.parts(), ["atuh"])


def test_a_saved_plan_is_read_back_as_it_was(plan):
    plan.save()

    assert load(plan.instance) == plan
    assert plan.instance.plan_file.stat().st_mode & 0o077 == 0


def test_services_are_started_by_their_public_commands(plan):
    commands = {name: part.prepare().command[1:] for name, part in plan.parts().items() if part.kind == "service"}

    assert commands["broker"] == ("-m", "gunicorn", "-c", "broker/gunicorn.conf.py", "broker.wsgi:app")
    assert commands["keeper"] == ("-m", "logger", "keeper")
    assert commands["worker"][:5] == ("-m", "celery", "-A", "worker", "worker")


@pytest.mark.parametrize(("command", "status"), [("status", 3), ("env", 1), ("restart", 1), ("down", 0)])
def test_commands_on_a_system_that_does_not_run_say_so(tmp_path, capfd, command, status):
    assert main(["--instance", "test", "--state", str(tmp_path), command]) == status
    assert "the test system is not running" in "".join(capfd.readouterr())


def test_reset_without_a_person_or_yes_deletes_nothing(plan, monkeypatch, capfd):
    (plan.instance.data / "precious").touch()
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115, PTH123 - replaced and closed with the test

    assert main(["--instance", "test", "--state", str(plan.instance.state), "reset"]) == 1
    sys.stdin.close()

    assert (plan.instance.data / "precious").exists()
    assert "nothing was deleted" in capfd.readouterr().err


def test_reset_with_yes_deletes_the_data(plan):
    (plan.instance.data / "old").touch()

    assert main(["--instance", "test", "--state", str(plan.instance.state), "reset", "--yes"]) == 0
    assert not plan.instance.data.exists()


def test_every_make_target_is_explained_by_a_bare_make():
    text = (ROOT / "Makefile").read_text()
    phony = {name for line in text.splitlines() if line.startswith(".PHONY:") for name in line.split()[1:]} - {"help"}

    shown = subprocess.run(
        ["make", "--no-print-directory"], check=True, cwd=ROOT, capture_output=True, text=True, timeout=20
    ).stdout

    assert {line.split()[1] for line in shown.splitlines() if line.startswith("  make ")} == phony
    assert "make up" in shown.splitlines()[-1]


def test_changed_lock_files_make_the_installed_packages_out_of_date(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / "bin" / "python")

    (tmp_path / "local.stamp").write_text(bootstrap.digest("local"))
    assert bootstrap.is_current("local")

    (tmp_path / "local.stamp").write_text("of another lock file")
    assert not bootstrap.is_current("local")


def test_the_bootstrap_can_be_read_by_a_python_that_is_too_old_to_run_the_rest():
    compile((ROOT / "compose/local/bootstrap.py").read_text(), "bootstrap.py", "exec", flags=0, dont_inherit=True)
    source = (ROOT / "compose/local/bootstrap.py").read_text()
    top_level_imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]

    assert not [line for line in top_level_imports if "compose" in line]
