"""One part is kept alive: it is restarted when it dies, given up on in words only, and stopped for good."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from compose.local import process
from compose.local.keeper import Keeper, State
from compose.local.parts import DegradedError, Kind, Launch, Part, PrepareError, ProbeError
from compose.local.paths import instance

SLEEPER = ("sleep", "300")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
)


@pytest.fixture
def at(tmp_path):
    made = instance("test", str(tmp_path))
    made.make_folders()
    return made


def part(*command: str, probe: Callable[[], Awaitable[None]] | None = None, **more) -> Part:
    launch = Launch(command)
    return Part("part", more.pop("kind", Kind.SERVER), "", lambda: launch, probe or fine, **more)


async def fine() -> None:
    """A probe that is always content."""


async def open_gate(_: Part) -> None:
    """Nothing to wait for."""


async def until(look: Callable[[], bool], limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not look():  # noqa: ASYNC110 - the condition may be anything
            await asyncio.sleep(0.01)


def kept(at, made: Part, story: Callable[[Keeper], Awaitable[None]]) -> None:
    """Runs a story with a keeper that is stopped afterwards, whatever happens."""

    async def run() -> None:
        keeper = Keeper(made, at, open_gate)
        keeper.start()
        try:
            await story(keeper)
        finally:
            await keeper.stop(at_once=True)
            keeper.close()

    asyncio.run(run())


def log_of(at) -> str:
    return (at.logs / "part.log").read_text()


def test_a_part_is_ready_once_its_probe_is_content(at):
    content = []

    async def probe() -> None:
        if not content:
            raise ConnectionRefusedError

    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.STARTING)
        assert not keeper.settled.is_set()
        content.append(True)
        await until(lambda: keeper.facts.state is State.READY)
        assert keeper.settled.is_set()

    kept(at, part(*SLEEPER, probe=probe), story)


def test_a_killed_part_is_back_within_a_second_and_says_why_it_died(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.READY)
        first = keeper.facts.pid
        process.send([first or 0], signal.SIGKILL)
        await until(lambda: keeper.facts.state is State.READY and keeper.facts.pid != first, limit=1.5)
        assert keeper.facts.restarts == 1
        assert keeper.facts.last_exit == "killed by SIGKILL"

    kept(at, part(*SLEEPER), story)


def test_children_of_a_killed_part_do_not_outlive_it(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: len(process.session_members(keeper.facts.pid or -1)) == 2)
        family = process.session_members(keeper.facts.pid or -1)
        process.send([keeper.facts.pid or 0], signal.SIGKILL)
        await until(lambda: keeper.facts.restarts == 1)
        assert not [pid for pid in family if pid in {entry.pid for entry in process.table() if entry.state != "Z"}]

    kept(at, part("sh", "-c", "sleep 300 & wait"), story)


def test_a_part_that_never_gets_ready_is_called_failed_and_tried_again_later_and_later(at):
    async def refuse() -> None:
        raise ConnectionRefusedError

    async def story(keeper: Keeper) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: keeper.facts.state is State.FAILED)
        assert keeper.facts.last_exit == "exit code 3"
        assert keeper.facts.restarts == 3
        assert loop.time() - began > 0.5

    kept(at, part("sh", "-c", "exit 3", probe=refuse), story)


def test_what_cannot_be_prepared_is_explained_and_fails_at_once(at):
    def prepare() -> Launch:
        raise PrepareError("no such server here")

    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.FAILED)
        assert keeper.facts.last_exit == "no such server here"

    kept(at, Part("part", Kind.SERVER, "", prepare, fine), story)
    assert "no such server here" in log_of(at)


@pytest.mark.parametrize(
    ("error", "state"), [(DegradedError("without auth"), State.DEGRADED), (ProbeError("no primary"), State.NOT_READY)]
)
def test_a_ready_part_that_complains_is_shown_so(at, monkeypatch, error, state):
    monkeypatch.setattr("compose.local.keeper._CALM", 0.02)
    complaints: list[Exception] = []

    async def probe() -> None:
        for complaint in complaints:
            raise complaint

    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.READY)
        complaints.append(error)
        await until(lambda: keeper.facts.state is state)
        assert keeper.facts.complaint == str(error)
        complaints.clear()
        await until(lambda: keeper.facts.state is State.READY)
        assert keeper.facts.complaint == ""

    kept(at, part(*SLEEPER, probe=probe), story)


def test_a_stopped_part_stays_stopped_until_it_is_started(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.READY)
        pid = keeper.facts.pid or -1
        await keeper.stop()
        assert keeper.facts.state is State.STOPPED
        assert not process.session_members(pid)
        keeper.start()
        await until(lambda: keeper.facts.state is State.READY)
        assert keeper.facts.restarts == 0

    kept(at, part(*SLEEPER), story)


def test_a_part_that_ignores_its_signal_is_killed_after_its_grace(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: "deaf" in log_of(at))
        pid = keeper.facts.pid or -1
        await keeper.stop()
        assert not process.session_members(pid)

    kept(at, part(*STUBBORN, grace=0.2), story)


def test_a_task_runs_once_and_is_done(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.DONE)
        assert keeper.settled.is_set()
        keeper.start()
        assert keeper.facts.state is State.DONE

    kept(at, part("echo", "migrated", kind=Kind.TASK), story)
    assert log_of(at).count("migrated") == 1


def test_a_task_that_fails_is_tried_again(at, tmp_path):
    flag = tmp_path / "flag"

    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.DONE)
        assert keeper.facts.restarts == 1

    kept(at, part("sh", "-c", f"test -e {flag} || {{ touch {flag}; exit 1; }}", kind=Kind.TASK), story)


def test_the_one_shot_runs_after_the_first_answer_and_before_readiness(at, tmp_path):
    flag = tmp_path / "flag"
    launch = Launch(SLEEPER, settle=("touch", str(flag)))
    seen: list[bool] = []

    async def probe() -> None:
        seen.append(flag.exists())

    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.READY)
        assert seen[0] is True

    kept(at, Part("part", Kind.SERVER, "", lambda: launch, probe, answers=fine), story)


def test_a_replaced_worker_process_counts_as_a_restart(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.READY)
        master = keeper.facts.pid or -1
        child = partial(process.Entry, state="S", parent=master, session=master)
        keeper.count_workers([child(1001), child(1002)])
        keeper.count_workers([child(1001), child(1003)])
        assert keeper.facts.restarts == 1
        assert keeper.facts.pid == master

    kept(at, part(*SLEEPER, has_workers=True), story)


def test_every_child_carries_the_mark_by_which_leftovers_are_found(at):
    async def story(keeper: Keeper) -> None:
        await until(lambda: keeper.facts.state is State.READY)
        assert keeper.facts.pid in process.marked(at)
        assert os.getpid() not in process.marked(at)

    kept(at, part(*SLEEPER), story)
    assert process.marked(at) == []
