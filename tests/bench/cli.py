"""`make bench`, `make load` and the chart; see docs/performance.md."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from common.errors import AppError
from compose.local.parts import PrepareError
from tests.bench import machine, others, report, searching, target
from tests.bench.chart import draw
from tests.bench.load import run_load
from tests.bench.measuring import Bench
from tests.bench.plan import UnknownRowError, plan
from tests.bench.rows import Row
from tests.bench.wrk import GeneratorError


def main(arguments: Sequence[str]) -> int:
    """Returns 0 when all was measured and nothing was lost, 1 otherwise; a missed bar is told, not an error."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (UnknownRowError, GeneratorError, PrepareError, target.TargetError, AppError) as problem:
        print(f"bench: {problem}", flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    bench = commands.add_parser("bench", help="measure every door")
    bench.set_defaults(command=_bench)
    bench.add_argument("--only", default="", help="these rows, separated by commas")
    bench.add_argument("--concurrency", type=_levels, default="1,16,64", help="1,16,64 unless told")
    bench.add_argument("--quick", action="store_true", help="a second instead of five, once: to try things")
    load = commands.add_parser("load", help="a constant rate through the broker's log door")
    load.set_defaults(command=_load)
    load.add_argument("--minutes", type=_count, default=10)
    load.add_argument("--rate", type=_count, default=1000, help="requests per second")
    for parser_ in (bench, load):
        parser_.add_argument("--out", default="", help="write the result there as JSON")
        parser_.add_argument("--state", default="", help="folder of the system's data; .local/bench unless told")
        for name, what in _ADDRESSES.items():
            parser_.add_argument(f"--{name}", default="", help=what)
    chart = commands.add_parser("chart", help="draw the chart of a result")
    chart.set_defaults(command=_chart)
    chart.add_argument("result")
    chart.add_argument("picture")
    table = commands.add_parser("markdown", help="the rows of a result as a table")
    table.set_defaults(command=_markdown)
    table.add_argument("result")
    return parser


_ADDRESSES = {
    "base": "measure the system with this broker instead of starting one: http://host:port",
    "logger": "its logger: http://host:port",
    "rpc": "its JSON-RPC: host:port",
    "grpc": "its gRPC: host:port",
    "mongo": "its MongoDB, to count what was stored and to measure M",
}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _levels(text: str) -> list[int]:
    try:
        return [_count(word) for word in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError("must be whole numbers, separated by commas") from None


def _target(options: argparse.Namespace) -> AbstractContextManager[target.Target]:
    if not options.base:
        return target.own(options.state)
    return target.other(options.base, logger=options.logger, rpc=options.rpc, grpc=options.grpc, mongo=options.mongo)


def _bench(options: argparse.Namespace) -> int:
    wanted = plan(_words(options.only), quick=options.quick, concurrencies=options.concurrency)
    rows: list[Row] = []
    with ExitStack() as stack:
        measured = stack.enter_context(_target(options))
        about = machine.described(measured.store)
        print(json.dumps(about), flush=True)
        for row in _rows(Bench(measured, wanted, stack)):
            rows.append(row)
            print(report.line(row), flush=True)
            if options.out:
                report.write(Path(options.out), about, rows)
    print("\n" + "\n".join(report.table(rows)) + "\n\n" + report.summary(rows), flush=True)
    return 1 if any(row.lost for row in rows) else 0


def _rows(bench: Bench) -> Iterator[Row]:
    yield from others.idle_memory(bench)
    for concurrency in bench.plan.concurrencies:
        yield from bench.doors(concurrency)
        yield from bench.jsonrpc(concurrency)
        yield from bench.grpc_bulk(concurrency)
    yield from bench.yardsticks()
    yield from others.logins(bench)
    yield from others.beside_logins(bench)
    yield from others.listener(bench)
    yield from others.starts(bench)
    yield from searching.rows(bench)


def _load(options: argparse.Namespace) -> int:
    with _target(options) as measured:
        about = machine.described(measured.store)
        print(json.dumps(about), flush=True)
        result = run_load(
            measured, minutes=options.minutes, rate=options.rate, say=lambda text: print(text, flush=True)
        )
    if options.out:
        Path(options.out).write_text(json.dumps({**about, **result.as_json()}, indent=1) + "\n")
    print(result.verdict(), flush=True)
    return 0 if result.met else 1


def _chart(options: argparse.Namespace) -> int:
    Path(options.picture).write_text(draw(json.loads(Path(options.result).read_text())))
    return 0


def _markdown(options: argparse.Namespace) -> int:
    print(report.markdown(json.loads(Path(options.result).read_text())["rows"]))
    return 0
