"""What the rows on searching ask: for each row questions with values that differ, and what a right answer to them is."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import cycle, islice

from tests.bench.asking import Answer, Question
from tests.bench.seeded import some_traces
from tests.seeding.needles import Needles
from tests.seeding.recipe import Recipe
from tests.seeding.vocabulary import SERVICES

LOGS, TRACES, HISTOGRAM, COUNT, FACETS, EXPORT = (
    "/api/v1/logs",
    "/api/v1/traces",
    "/api/v1/logs/histogram",
    "/api/v1/logs/count",
    "/api/v1/logs/facets",
    "/api/v1/logs/export",
)
PAGE = 50
_LEVELS = ("ERROR", "CRITICAL")


def text_of(moment: datetime) -> str:
    """As the API takes times."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class Asker:
    """Makes the questions of each row for one set of entries."""

    def __init__(self, recipe: Recipe, requests: int) -> None:
        self._recipe = recipe
        self._requests = requests
        self._chance = random.Random(recipe.seed)  # noqa: S311 - nothing is kept secret

    def pages(self) -> dict[str, list[Question]]:
        """The first pages of filters that an index serves, and of two that none does."""
        recipe, many = self._recipe, range(self._requests)
        names, services = cycle(recipe.names), cycle(SERVICES)
        return {
            "page name": [_page({"name": next(names)}, 1) for _ in many],
            "page level": [_page({"level": _LEVELS[number % 2], "until": self._until()}, 1) for number in many],
            "page service": [_page({"service": next(services), "until": self._until()}, 1) for _ in many],
            "page trace": [_page({"trace_id": trace}, 1) for trace in some_traces(recipe, self._requests)],
            "trace": [Question(f"{TRACES}/{trace}", {}, _has(1)) for trace in some_traces(recipe, self._requests)],
            "page name, level": [_page({"name": next(names), "level": "WARNING"}, 0) for _ in many],
        }

    def _until(self) -> str:
        """A moment in the second half of the entries."""
        count = self._recipe.count
        return text_of(self._recipe.moment(self._chance.randrange(count // 2, count)))

    def first_pages(self, limit: int, filters: Mapping[str, str]) -> Iterator[Question]:
        """Without end, from moments that differ."""
        while True:
            yield _page({**filters, "until": self._until(), "limit": str(limit)}, limit)

    def words(self) -> dict[str, list[Question]]:
        needles: Needles = self._recipe.needles
        once, fifty, often = (needles.kinds[kind] for kind in ("once", "fifty", "often"))
        pairs = [(word, needles.partner(word)) for word in fifty]
        apart = [(one, other) for one in often for other in often if one < other]
        return {
            "words once": self._searches([(word,) for word in once]),
            "words fifty": self._searches([(word,) for word in fifty]),
            "words often": self._searches([(word,) for word in often]),
            "words absent": self._searches([(word,) for word in needles.absent]),
            "words two": self._searches(pairs),
            "words two often": self._searches(apart),
        }

    def _searches(self, wanted: Sequence[Sequence[str]]) -> list[Question]:
        """Words that need not be neighbours, as people write them."""
        places = self._recipe.needles.places
        questions = []
        for words in islice(cycle(wanted), self._requests):
            there = len(frozenset.intersection(*(places.get(word, frozenset()) for word in words)))
            parameters = {"q": " ".join(words), "limit": str(PAGE)}
            if there >= 4 * PAGE:
                # few words are frequent, and the same page again would tell little; enough of them are in the first half
                parameters["until"] = self._until()
            questions.append(Question(LOGS, parameters, _has_exactly(min(PAGE, there))))
        return questions

    def histograms(self, count: int, filters: Mapping[str, str]) -> list[Question]:
        """Of 24 hours; each begins some seconds away from the one before."""
        since, until = self._recipe.since, self._recipe.until
        questions = []
        for number in range(count):
            shift = timedelta(seconds=7 * number, milliseconds=number)
            ends = {"since": text_of(since - shift), "until": text_of(until - shift)}
            questions.append(Question(HISTOGRAM, {**filters, **ends}, _is_drawn))
        return questions

    def whole(self, path: str, count: int) -> list[Question]:
        """A count or facets of everything."""
        since, until = self._recipe.since, self._recipe.until
        shifts = [timedelta(seconds=7 * number) for number in range(count)]
        return [
            Question(path, {"since": text_of(since - shift), "until": text_of(until - shift)}, _is_complete)
            for shift in shifts
        ]


def _page(parameters: Mapping[str, str], least: int) -> Question:
    return Question(LOGS, {"limit": str(PAGE), **parameters}, _has(least))


def _is_complete(answer: Answer) -> bool:
    return answer.get("complete") is True


def _has(least: int) -> Callable[[Answer], bool]:
    return lambda answer: _is_complete(answer) and len(answer["items"]) >= least


def _has_exactly(items: int) -> Callable[[Answer], bool]:
    return lambda answer: _is_complete(answer) and len(answer["items"]) == items


def _is_drawn(answer: Answer) -> bool:
    return _is_complete(answer) and sum(bucket["count"] for bucket in answer["buckets"]) > 0
