"""Rows on reading the log store with millions of entries in it: pages, words, counts, export. `make bench only=search`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from itertools import count

from tests.bench import processes, seeded_writes, tailing
from tests.bench.asking import Caller, Question, of_seconds, sample_of
from tests.bench.figures import Sample
from tests.bench.measuring import Bench
from tests.bench.questions import COUNT, EXPORT, FACETS, LOGS, Asker, text_of
from tests.bench.rows import Facts, Row, judged
from tests.bench.seeded import Seeded, fill
from tests.bench.wrk import GeneratorError
from tests.seeding.recipe import Recipe

# How deep somebody pages.
DEEP = 1_000
_PAGE = 50
_WARM_UP = 5
_CHUNK = 1 << 18
_EXPORTED_PART = 4
_NOTHING = Facts()


def rows(bench: Bench) -> Iterator[Row]:
    """All rows that need the entries, which are written once. The writes come last: they add to them."""
    plan, system, store = bench.plan, bench.target.system, bench.target.store
    if not (plan.wants_search and system and store):
        return
    spent = processes.cpu_seconds(system)
    seeded = fill(system, store, plan.search_entries)
    facts = Facts(
        cpu_s=processes.spent_between(spent, processes.cpu_seconds(system)), pss_mib=processes.pss_mib(system)
    )
    entries = seeded.recipe.count
    yield judged("search-seed", 1, [entries / seeded.seconds], "entries/s", facts=facts)
    yield judged("search-index", 1, [seeded.index_seconds], "s", facts=facts)
    asker = Asker(seeded.recipe, plan.search_requests)
    with Caller(bench.target.broker) as caller:
        yield from _questions(bench, caller, asker)
        yield from _depth(bench, caller, asker, seeded)
        yield from _counts(bench, caller, asker)
        yield from _exports(bench, seeded.recipe)
    yield from tailing.rows(bench)
    yield from seeded_writes.rows(bench)


def _questions(bench: Bench, caller: Caller, asker: Asker) -> Iterator[Row]:
    for group, made in (("search-pages", asker.pages), ("search-words", asker.words)):
        if bench.plan.wants(group):
            for name, questions in made().items():
                yield _timed(bench, name, caller, questions)


def _timed(bench: Bench, name: str, caller: Caller, questions: list[Question]) -> Row:
    """The value is the 95th percentile."""
    for question in questions[:_WARM_UP]:
        caller.ask(question.target)
    spent = processes.cpu_seconds(bench.target.system)
    sample = sample_of(caller, questions)
    used = processes.spent_between(spent, processes.cpu_seconds(bench.target.system))
    return _of(name, sample, Facts(cpu_s=used))


def _of(name: str, sample: Sample, facts: Facts = _NOTHING) -> Row:
    return judged(name, 1, [sample.p95_ms], "ms", errors=sample.errors, latency=sample, facts=facts)


def _depth(bench: Bench, caller: Caller, asker: Asker, seeded: Seeded) -> Iterator[Row]:
    """First pages and pages behind the thousandth by turns, so that both see the same machine."""
    if not bench.plan.wants("search-pages"):
        return
    most_frequent = seeded.recipe.names[0]
    for label, filters in (("", {}), (" of a name", {"name": most_frequent})):
        first, deep = _walked(caller, asker, seeded.recipe.count, filters, bench.plan.search_requests)
        yield _of(f"page 1{label}", first)
        yield _of(f"page 1,000{label}", deep)
        slower = deep.p50_ms / first.p50_ms if first.p50_ms else 0.0
        yield judged(f"page 1,000 to page 1{label}", 1, [slower], "x", errors=first.errors + deep.errors)


def _walked(
    caller: Caller, asker: Asker, entries: int, filters: Mapping[str, str], requests: int
) -> tuple[Sample, Sample]:
    """Raises GeneratorError when there are fewer pages, or one is not whole."""
    # a name has about an eighth of the entries; a short set has shorter pages
    limit = max(1, min(_PAGE, entries // (DEEP + requests) // (12 if filters else 2)))
    parameters, cursor = {**filters, "limit": str(limit)}, ""
    first: list[float] = []
    deep: list[float] = []
    errors = [0, 0]
    others = asker.first_pages(limit, filters)
    for number in count(1):
        page = Question(LOGS, parameters | ({"cursor": cursor} if cursor else {}), lambda answer: answer["complete"])
        seconds, answer = caller.measured(page)
        if not answer or not answer["next_cursor"]:
            raise GeneratorError(f"page {number} of {filters or 'all entries'} is not a whole page with one behind it")
        cursor = answer["next_cursor"]
        if number < DEEP:
            continue
        deep.append(seconds)
        seconds, answer = caller.measured(next(others))
        first.append(seconds)
        errors[0] += answer is None
        if len(deep) == requests:
            return of_seconds(first, errors[0]), of_seconds(deep, errors[1])
    raise AssertionError("count has no end")


def _counts(bench: Bench, caller: Caller, asker: Asker) -> Iterator[Row]:
    if not bench.plan.wants("search-counts"):
        return
    few = max(3, bench.plan.search_requests // 4)
    yield _timed(bench, "histogram 24 h", caller, asker.histograms(few, {}))
    yield _timed(bench, "histogram 24 h of errors", caller, asker.histograms(few, {"level": "ERROR"}))
    yield _timed(bench, "histogram 24 h of a service", caller, asker.histograms(few // 5 + 2, {"service": "auth"}))
    yield _timed(bench, "count 24 h", caller, asker.whole(COUNT, few))
    yield _timed(bench, "facets 24 h", caller, asker.whole(FACETS, few))


def _exports(bench: Bench, recipe: Recipe) -> Iterator[Row]:
    """A part of the entries from each door; every line is counted, and the last one has to say that it is all."""
    if not bench.plan.wants("search-export"):
        return
    first = recipe.count - recipe.count // _EXPORTED_PART
    parameters = {"since": text_of(recipe.moment(first)), "until": text_of(recipe.until)}
    target = Question(EXPORT, parameters, bool).target
    for name, url in (("export", bench.target.broker), ("export from the logger", bench.target.logger)):
        spent = processes.cpu_seconds(bench.target.system)
        samples = [_exported(url, target, recipe.count - first) for _ in range(bench.plan.runs)]
        used = processes.spent_between(spent, processes.cpu_seconds(bench.target.system))
        errors = sum(sample.errors for sample in samples)
        rates = [sample.rate for sample in samples]
        facts = Facts(cpu_s=used, pss_mib=processes.pss_mib(bench.target.system))
        yield judged(name, 1, rates, "entries/s", errors=errors, facts=facts)


def _exported(url: str, target: str, least: int) -> Sample:
    """`least`: fewer entries are an error; entries of the same millisecond as the first one may be more."""
    lines, last, began = 0, b"", time.perf_counter()
    with Caller(url) as caller:
        for chunk in caller.stream(target, _CHUNK):
            lines += chunk.count(b"\n")
            last = (last + chunk)[-_CHUNK:]
    seconds = time.perf_counter() - began
    said = json.loads(last.splitlines()[-1]).get("export", {}) if last else {}
    entries = lines - bool(said)
    is_whole = said.get("complete") is True and said.get("entries") == entries >= least
    return Sample(entries, seconds, 0, 0, 0, errors=int(not is_whole))
