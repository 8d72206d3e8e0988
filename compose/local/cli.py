"""The commands of the runner. `make` explains them to people; see the Makefile."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from compose.local import build, doctor, heir, logview, paths, show, start, stop, supervisor, tools
from compose.local.control import NotRunningError
from compose.local.environment import DotenvError
from compose.local.parts import PrepareError
from compose.local.paths import DEV, Instance, InstanceNameError
from compose.local.plan import UnknownPartError
from compose.local.ports import PortError, detours
from compose.local.terminal import complain

Command = Callable[[Instance, argparse.Namespace], int]


class _Commands(Protocol):
    """What `add_subparsers` returns; argparse has no public name for it."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's name


_EXPECTED = (PortError, DotenvError, UnknownPartError, InstanceNameError, PrepareError, TimeoutError)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(paths.instance(options.instance, options.state), options)
    except NotRunningError:
        complain(f"the {options.instance} system is not running; start it with: make up")
    except _EXPECTED as problem:
        complain(str(problem))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader, such as head, has seen enough; Python would complain once more when it closes the stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m compose.local", description=__doc__)
    parser.add_argument("--instance", default=DEV, help="name of the running system, dev unless told")
    parser.add_argument("--state", help="folder for its data, logs and sockets; .local/<instance> unless told")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_whole(commands)
    _add_single(commands)
    return parser


def _command(commands: _Commands, name: str, run: Command, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=run)
    return parser


def _add_whole(commands: _Commands) -> None:
    up = _command(commands, "up", _up, "start the parts and wait until they are ready")
    up.add_argument("--only", default="", help="these parts and what they need, separated by commas")
    up.add_argument("--ports", choices=("fixed", "auto"), help="auto: a free block; the default of all but dev")
    up.add_argument(
        "--through", default="", help="reach servers at other ports, a proxy's: MONGO_PORT=12001,RABBIT_PORT=12002"
    )
    down = _command(commands, "down", lambda at, given: stop.down(at, at_once=given.now), "stop everything")
    down.add_argument("--now", action="store_true", help="kill instead of asking")
    reset = _command(commands, "reset", lambda at, given: stop.reset(at, sure=given.yes), "stop and delete the data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    _command(commands, "status", lambda at, _: show.status(at), "one line for each part")
    _command(commands, "env", lambda at, _: show.variables(at), "the variables of the running system")
    supervised = _command(commands, "supervise", _supervise, "the daemon behind up; not for people")
    supervised.add_argument("names")
    inheriting = _command(commands, "inherit", lambda at, given: heir.inherit(at, given.life), "see heir.py")
    inheriting.add_argument("life")


def _add_single(commands: _Commands) -> None:
    for name, run, text in (
        ("restart", stop.restart, "restart parts and wait until they are ready"),
        ("start", stop.start_parts, "start stopped parts and wait until they are ready"),
        ("build", build.build, "byte-compile services and restart those that run"),
        ("stop", stop.stop_parts, "stop parts, leave the rest running"),
    ):
        parser = _command(commands, name, _on_names(run), text)
        parser.add_argument("names", nargs="*", help="all parts unless told")
    logs = _command(commands, "logs", _logs, "the logs of all parts in order of time")
    logs.add_argument("--only", default="", help="these parts, separated by commas")
    logs.add_argument("--lines", type=int, default=200, help="so many to begin with")
    logs.add_argument("--follow", action=argparse.BooleanOptionalAction, help="go on; the default on a terminal")
    _command(commands, "doctor", lambda at, _: doctor.examine(at), "what was found, and what stands in the way")
    _command(commands, "tools", lambda _, __: tools.provide(), "provide what the tests need besides Python")


def _names(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.replace(",", " ").split()]


def _on_names(run: Callable[[Instance, Sequence[str]], int]) -> Command:
    return lambda at, given: run(at, _names(given.names))


def _logs(at: Instance, given: argparse.Namespace) -> int:
    follow = sys.stdout.isatty() if given.follow is None else given.follow
    return logview.show_logs(at, _names([given.only]), count=given.lines, follow=follow)


def _up(at: Instance, given: argparse.Namespace) -> int:
    free_ports = given.ports == "auto" or (given.ports is None and not at.is_dev)
    return start.up(at, start.Wish(tuple(_names([given.only])), free_ports, detours(_names([given.through]))))


def _supervise(at: Instance, given: argparse.Namespace) -> int:
    return supervisor.supervise(at, _names([given.names]))
