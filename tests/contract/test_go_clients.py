"""Unmodified Go programs as clients of the running system: what they sent is read back from the store."""

from __future__ import annotations

import secrets
import subprocess

import pytest

from tests.go.peers import Outcome, call_from_go
from tests.go.toolchain import go_program
from tests.waiting import eventually

CODECS = ("json", "gob")


@pytest.fixture
def name():
    """A name that no other test writes."""
    return f"go-{secrets.token_hex(6)}"


@pytest.fixture
def address(system):
    host, _, port = system.env["LOGGER_RPC_ADDRESS"].rpartition(":")
    return host, int(port)


@pytest.mark.parametrize("codec", CODECS)
def test_a_go_client_finds_its_entry_in_the_store_when_it_has_the_answer(address, log_documents, name, codec):
    outcomes = call_from_go(address, codec=codec, name=name, data="Größe < 3 & ☃")

    assert outcomes == [Outcome(0, f"Processed payload via RPC:{name}", "")]
    (record,) = log_documents.find({"name": name})
    assert (record["data"], record["protocol"]) == ("Größe < 3 & ☃", "rpc")


@pytest.mark.parametrize("codec", CODECS)
def test_five_hundred_pipelined_calls_of_a_go_client_are_five_hundred_entries(address, log_documents, name, codec):
    outcomes = call_from_go(address, codec=codec, name=name, n=500, pipeline=64)

    assert outcomes == [Outcome(call, f"Processed payload via RPC:{name}", "") for call in range(500)]
    assert log_documents.count_documents({"name": name}) == 500


@pytest.mark.parametrize(("codec", "mode"), [("json", "wide"), ("gob", "wide"), ("gob", "exotic")])
def test_more_fields_than_ours_in_a_go_struct_do_no_harm(address, log_documents, name, codec, mode):
    outcomes = call_from_go(address, codec=codec, mode=mode, name=name, data="d", n=2)

    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert [record["data"] for record in log_documents.find({"name": name})] == ["d", "d"]


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_of_a_go_program_is_answered_entry_by_entry_and_stored(address, log_documents, name, codec):
    outcomes = call_from_go(address, codec=codec, mode="batch", method="RPCServer.LogBatch", name=name, n=300)

    assert outcomes[0] == Outcome(0, f"stored {name}-0", "")
    assert outcomes[1] == Outcome(1, "refused ", "name: must not be empty")
    assert outcomes[2:299] == [Outcome(index, f"stored {name}-{index}", "") for index in range(2, 299)]
    assert outcomes[299] == Outcome(299, f"duplicate {name}-0", "")
    records = list(log_documents.find({"name": name}))
    assert {record["event_id"]: record["fields"] for record in records} == {
        f"{name}-{index}": {"index": index} for index in (0, *range(2, 299))
    }
    assert {(record["level"], record["protocol"]) for record in records} == {("WARNING", "rpc")}


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_without_entries_is_no_error_to_a_go_program(address, codec):
    command = [str(go_program("rpcclient")), "-addr", f"{address[0]}:{address[1]}", "-codec", codec]

    ran = subprocess.run(
        [*command, "-mode", "batch", "-method", "RPCServer.LogBatch", "-n", "0"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("codec", CODECS)
def test_a_go_program_that_sends_one_struct_for_a_batch_is_told_so(address, codec):
    (outcome,) = call_from_go(address, codec=codec, method="RPCServer.LogBatch")

    assert outcome.error.endswith(("[]main.RPCPayload", "want slice of main.RPCPayload"))


@pytest.mark.parametrize("codec", CODECS)
def test_a_refused_entry_is_an_error_of_its_call_and_the_next_call_goes_on(address, log_documents, codec):
    outcomes = call_from_go(address, codec=codec, name="", n=2)

    assert [bool(outcome.error) for outcome in outcomes] == [True, True]
    assert log_documents.count_documents({"name": ""}) == 0
    assert outcomes[0].error == outcomes[1].error != "connection is shut down"


@pytest.mark.parametrize("codec", CODECS)
def test_an_unknown_method_is_told_in_the_words_of_go(address, codec):
    outcomes = call_from_go(address, codec=codec, method="RPCServer.Nothing", n=2)

    assert [outcome.error for outcome in outcomes] == ["rpc: can't find method RPCServer.Nothing"] * 2


def test_an_event_published_by_a_go_program_is_stored(system, log_documents, name):
    command = [str(go_program("amqppub")), "-url", system.env["RABBIT_URL"], "-name", name, "-data", "<é>", "-n", "3"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)

    eventually(lambda: log_documents.count_documents({"name": name}) == 3)
    assert {(record["data"], record["level"], record["protocol"]) for record in log_documents.find({"name": name})} == {
        ("<é>", "INFO", "amqp")
    }
