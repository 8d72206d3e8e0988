"""Rows that are no plain door: logins, the listener, memory at rest, starts."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.bench import drain, processes, wrk, yardsticks
from tests.bench.bars import STORM
from tests.bench.doors import LOG_DOOR, LOGIN, LOGIN_DOOR, new_tag
from tests.bench.figures import Sample
from tests.bench.measuring import Bench
from tests.bench.rows import Facts, Row, judged, of_samples
from tests.bench.target import TargetError, timed_restart
from tests.system import ROOT

# The logins run so much longer than the log door that they saturate all of its run. Seconds.
_LEAD, _COLD_LIMIT = 2.0, 1_800
_AT_REST, _REST_LIMIT = 1.6, 60.0


def logins(bench: Bench) -> Iterator[Row]:
    """Each is set against what bcrypt allows, measured before, between and after the runs: the machine's speed drifts by a tenth."""
    if not bench.plan.wants(LOGIN_DOOR.name):
        return
    request, plan = LOGIN_DOOR.request(bench.target, ""), bench.plan
    for concurrency in plan.concurrencies:
        about = yardsticks.bcrypt_seconds()
        wrk.run(request, concurrency, plan.warm_up)
        checks, samples = [_check_at_rest(request, about)], []
        spent = processes.cpu_seconds(bench.target.system)
        for _ in range(plan.runs):
            samples.append(wrk.run(request, concurrency, plan.login_seconds))
            checks.append(_check_at_rest(request, about))
        used = processes.spent_between(spent, processes.cpu_seconds(bench.target.system))
        mean = statistics.mean(checks)
        facts = Facts(cpu_s=used, pss_mib=processes.pss_mib(bench.target.system))
        possible = yardsticks.possible_logins(mean, concurrency)
        name, unit = LOGIN_DOOR.name, LOGIN_DOOR.unit
        yield from of_samples(name, concurrency, samples, unit, yardstick_value=possible, facts=facts)
        yield judged("B", concurrency, checks, "s")


def _check_at_rest(request: wrk.Request, about: float) -> float:
    wait_for_rest(request.url, about)
    return yardsticks.bcrypt_seconds()


def wait_for_rest(url: str, check: float) -> None:
    """Until one login takes hardly longer than one check: what the run before left in the queue would count against the next one."""
    end = time.monotonic() + _REST_LIMIT
    while time.monotonic() < end:
        began = time.monotonic()
        requests.post(url, json={"action": "auth", "auth": LOGIN}, timeout=_REST_LIMIT)
        if time.monotonic() - began < _AT_REST * check:
            return


def beside_logins(bench: Bench) -> Iterator[Row]:
    """The log door while as many logins run: its speed, and the bar on its p99."""
    if not bench.plan.wants("beside-logins"):
        return
    samples, seconds, check = [], bench.plan.seconds, yardsticks.bcrypt_seconds()
    for _ in range(bench.plan.runs):
        login = wrk.Running(LOGIN_DOOR.request(bench.target, ""), STORM, seconds + 2 * _LEAD)
        with login:
            time.sleep(_LEAD)
            samples.append(wrk.run(LOG_DOOR.request(bench.target, new_tag()), STORM, seconds))
            errors = login.result().errors
        samples[-1] = _with_errors(samples[-1], errors)
        wait_for_rest(LOGIN_DOOR.request(bench.target, "").url, check)
    yield from of_samples("handle-log beside logins", STORM, samples, "requests/s")
    slowest = [sample.p99_ms for sample in samples]
    yield judged("handle-log p99 beside logins", STORM, slowest, "ms", errors=sum(each.errors for each in samples))


def _with_errors(sample: Sample, more: int) -> Sample:
    times = (sample.p50_ms, sample.p95_ms, sample.p99_ms)
    return Sample(sample.acknowledged, sample.seconds, *times, sample.errors + more)


def listener(bench: Bench) -> Iterator[Row]:
    target, plan = bench.target, bench.plan
    if not (plan.wants("drain") and target.system and target.store and target.amqp):
        return
    spent = processes.cpu_seconds(target.system)
    done = [drain.drained(target.system, target.store, target.amqp, plan.drain_messages) for _ in range(plan.runs)]
    facts = Facts(
        acknowledged=plan.drain_messages * plan.runs,
        lost=sum(lost for _, lost in done),
        cpu_s=processes.spent_between(spent, processes.cpu_seconds(target.system)),
        pss_mib=processes.pss_mib(target.system),
    )
    yield judged("drain", 1, [sample.rate for sample, _ in done], "messages/s", facts=facts)


def idle_memory(bench: Bench) -> Iterator[Row]:
    """Before any load, some seconds after the start."""
    system = bench.target.system
    if not (bench.plan.wants("idle-memory") and system):
        return
    bench.settle()
    memory = processes.pss_mib(system)
    for name in sorted(part.name for part in processes.parts_of(system) if part.is_service):
        yield judged(f"idle-memory {name}", 1, [memory[name]], "MiB")
    yield judged("idle-memory system", 1, [sum(memory.values())], "MiB", facts=Facts(pss_mib=memory))


def starts(bench: Bench) -> Iterator[Row]:
    """`make up` when all is there, and, if asked for, in a fresh copy of the repository."""
    system, plan = bench.target.system, bench.plan
    if system and plan.wants("up-warm"):
        yield judged("up-warm", 1, [timed_restart(system) for _ in range(plan.runs)], "s")
    if system and plan.wants("up-cold"):
        yield judged("up-cold", 1, [cold_start()], "s")


def cold_start() -> float:
    """Seconds of `make up` with no `.local`: packages and servers are fetched again. Raises TargetError."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as folder:
        for name in filter(None, listed.stdout.split("\0")):
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if Path(ROOT, name).exists():
                shutil.copy2(Path(ROOT, name), copy)
        command = [_system_python(), "compose/local/bootstrap.py", "local", "--instance", "cold"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}

        def runner(*words: str) -> None:
            call = [*command, *words]
            done = subprocess.run(
                call, cwd=folder, env=environment, timeout=_COLD_LIMIT, check=False, stdout=sys.stderr
            )
            if done.returncode:
                raise TargetError(f"make {words[0]} failed in a fresh copy; its output is above")

        began = time.monotonic()
        runner("up", "--ports", "auto")  # one that fails leaves nothing running
        taken = time.monotonic() - began
        runner("down")
    return taken


def _system_python() -> str:
    """Not the one of the virtual environment: the copy has none yet."""
    return shutil.which("python3", path=os.defpath) or "python3"
