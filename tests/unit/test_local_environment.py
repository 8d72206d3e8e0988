"""The variables of an instance follow from its ports, and tests are kept away from a developer's servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose.local import environment
from compose.local.environment import DotenvError, printed_values, read_dotenv, service_values, wishes
from compose.local.paths import Instance, InstanceNameError, instance
from compose.local.ports import PORTS, chosen

DEV = instance("dev")


@pytest.fixture
def dotenv(tmp_path, monkeypatch):
    path = tmp_path / ".env"
    monkeypatch.setattr(environment, "DOTENV", path)
    return path


def test_the_example_documents_every_port_with_its_default():
    example = read_dotenv(environment.EXAMPLE)

    assert {port.name: example.get(port.name) for port in PORTS} == {port.name: str(port.default) for port in PORTS}


def test_the_addresses_of_the_example_are_those_of_the_default_ports():
    example = read_dotenv(environment.EXAMPLE)

    assert service_values(chosen({}), {}) == example


def test_when_a_port_moves_every_address_that_depends_on_it_follows():
    values = service_values(chosen({"AUTH_PORT": "9081", "FRONTEND_PORT": "9082", "MONGO_PORT": "9017"}), {})

    assert values["AUTH_URL"] == "http://127.0.0.1:9081"
    assert values["AUTH_PORT"] == "9081"
    assert values["CORS_ORIGINS"] == "http://localhost:9082,http://127.0.0.1:9082"
    assert "127.0.0.1:9017/" in values["MONGO_URL"]


def test_a_detour_moves_the_address_and_leaves_the_server_on_its_own_port():
    values = service_values(chosen({}), {}, {"MONGO_PORT": 12001, "LOGGER_RPC_PORT": 12002})

    assert values["MONGO_URL"] == "mongodb://logger:password@127.0.0.1:12001/logs?directConnection=true&authSource=logs"
    assert values["LOGGER_RPC_ADDRESS"] == "127.0.0.1:12002"
    assert (values["MONGO_PORT"], values["LOGGER_RPC_PORT"]) == ("17017", "5001")


def test_a_copied_example_pins_nothing_when_a_port_moves(dotenv):
    dotenv.write_text(environment.EXAMPLE.read_text().replace("AUTH_PORT=8081", "AUTH_PORT=9081"))

    wished = wishes(DEV, {})

    assert wished == {"AUTH_PORT": "9081"}
    assert service_values(chosen(wished), wished)["AUTH_URL"] == "http://127.0.0.1:9081"


def test_the_process_environment_wins_over_the_dotenv_file(dotenv):
    dotenv.write_text("LOG_LEVEL=DEBUG\nBROKER_PORT=9000\n")

    assert wishes(DEV, {"BROKER_PORT": "9100", "UNRELATED": "x"}) == {"LOG_LEVEL": "DEBUG", "BROKER_PORT": "9100"}


def test_a_test_instance_cannot_be_led_to_other_servers(dotenv):
    dotenv.write_text("LOG_LEVEL=DEBUG\n")
    servers = {
        "DSN": "host=production",
        "MAIL_HOST": "smtp.example.com",
        "MONGO_PORT": "27017",
        "SPOOL_DIR": "/var/spool/x",
    }

    assert wishes(instance("test"), {**servers, "BCRYPT_COST": "4"}) == {"BCRYPT_COST": "4"}


def test_services_on_every_interface_are_reached_over_loopback():
    everywhere = "0.0.0.0"  # noqa: S104 - a value, nothing binds it

    values = service_values(chosen({}), {"BIND_HOST": everywhere})

    assert values["BIND_HOST"] == everywhere
    assert values["LOGGER_GRPC_ADDRESS"] == "127.0.0.1:50001"


def test_printed_values_are_one_line_each_and_name_the_doors_for_tools():
    values = printed_values(DEV, chosen({}), service_values(chosen({}), {}))

    doors = {"POSTGRES_ADMIN_DSN", "MONGO_ADMIN_URL", "VALKEY_URL", "RABBIT_MANAGEMENT_URL", "WORKER_URL", "KEEPER_URL"}
    assert doors <= set(values)
    assert not [name for name, value in values.items() if "\n" in value]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("  export A = x y \n# B=2\n\n", {"A": "x y"}),
        ("A='quoted = text'", {"A": "quoted = text"}),
        ("A=", {"A": ""}),
    ],
)
def test_dotenv_lines_are_read(tmp_path, text, expected):
    path = tmp_path / "file"
    path.write_text(text)

    assert read_dotenv(path) == expected


def test_a_broken_dotenv_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "file"
    path.write_text("A=1\nnonsense\n")

    with pytest.raises(DotenvError, match="line 2"):
        read_dotenv(path)


@pytest.mark.parametrize("name", ["", "../x", "venv", "apt", "Dev", "a b"])
def test_names_that_would_collide_are_no_instances(name):
    with pytest.raises(InstanceNameError):
        instance(name)


def test_an_instance_keeps_everything_in_its_own_folder(tmp_path):
    made = instance("test", str(tmp_path / "deep"))
    made.make_folders()

    assert isinstance(made, Instance)
    assert {made.data, made.logs, made.run} == set(Path(made.state).iterdir())
