"""What the commands of the log store say when they are given something that cannot be used. No server runs."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from logger.cli import main
from logger.commands import terminal
from tests.services import free_port

NOWHERE = "mongodb://127.0.0.1:9/logs"


@pytest.mark.parametrize(
    ("arguments", "url", "told"),
    [
        (["import", "--from-mongo", "mongodb://h:99999/logs"], NOWHERE, "--from-mongo: is no address"),
        (["import", "--from-mongo", "mongodb://h/a b"], NOWHERE, "--from-mongo: is no address"),
        (["import", "--from-mongo", NOWHERE, "--collection", ""], NOWHERE, "--collection: is no name"),
        (["import", "--from-mongo", NOWHERE, "--collection", "a..b"], NOWHERE, "--collection: is no name"),
        (["query", "a"], "mongodb://h:999999/", "MONGO_URL: is no address"),
        (["tail", "--url", "http://[::1"], NOWHERE, "--url: is no address"),
        (["tail", "--url", "http://h:99999"], NOWHERE, "--url: is no address"),
        (["tail", "--url", "http://a..b"], NOWHERE, "--url: is no address"),
        (["tail", "--url", "localhost:8084"], NOWHERE, "--url: is no address"),
        (["tail", "--url", "https://localhost"], NOWHERE, "--url: is no address"),
    ],
)
def test_an_address_or_a_name_that_can_be_none_is_one_clear_line(arguments, url, told, monkeypatch, capsys):
    monkeypatch.setenv("MONGO_URL", url)

    assert main(arguments) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"logger: {told}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--limit", "x", "must be a whole number"),
        ("--limit", "0", "must be 1 or more"),
        ("--history", "x", "must be a whole number"),
    ],
)
def test_what_is_no_number_is_refused_in_words_for_people(option, value, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["tail", option, value])

    assert ended.value.code == 2
    assert f"argument {option}: {said}" in capsys.readouterr().err


def test_a_remark_cannot_give_orders_to_the_terminal(capsys):
    terminal.tell("the export ended early: \x1b]0;title\x07\x1b[2J\rall is well\n")

    assert capsys.readouterr().err == "logger: the export ended early:  ]0;title  [2J all is well \n"


class Rude(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"detail": "\x1b[2Jno"}).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_what_a_server_says_in_a_refusal_cannot_give_orders_to_the_terminal(capsys):
    server = http.server.HTTPServer(("127.0.0.1", free_port()), Rude)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert main(["tail", "--url", f"http://127.0.0.1:{server.server_port}"]) == 2
    finally:
        server.shutdown()
        server.server_close()

    assert capsys.readouterr().err == "logger: the log store refused:  [2Jno\n"


def test_the_place_of_a_fault_in_a_query_is_shown_below_it(capsys):
    assert main(["query", "lvl:error"]) == 2

    told = 'logger: position 0: unknown field "lvl"; did you mean "level"?\nlvl:error\n^\n'
    assert capsys.readouterr().err == told
