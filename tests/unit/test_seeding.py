"""Made-up entries for measurements: the same each time, of the promised spread, with words that occur as often as is told."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from logger.domain import Draft, accept, arrival
from logger.query.filters import folded_words
from protos.limits import LEVELS
from tests.seeding import cli
from tests.seeding.recipe import BATCH, Recipe
from tests.seeding.vocabulary import SERVICES, VOCABULARY, words

UNTIL = datetime(2026, 11, 21, 12, tzinfo=UTC)
SINCE = UNTIL - timedelta(hours=24)
COUNT = 20_500


def recipe(count: int = COUNT, seed: int = 1) -> Recipe:
    return Recipe(count, SINCE, UNTIL, seed, "abc123")


@pytest.fixture(scope="module")
def entries():
    made = recipe()
    return [entry for number in range(made.batches) for entry in made.batch(number)]


def test_the_same_recipe_makes_the_same_entries_in_any_order():
    first, second = recipe(3_000), recipe(3_000)

    forwards = [first.batch(number) for number in (0, 1, 2)]
    backwards = [second.batch(number) for number in (2, 1, 0)]

    assert forwards == backwards[::-1]
    assert recipe(3_000, seed=2).batch(0) != forwards[0]


def test_all_entries_are_there_in_order_of_time_and_no_id_twice(entries):
    assert len(entries) == len({entry.id for entry in entries}) == COUNT
    assert [len(recipe().batch(number)) for number in (0, 20)] == [BATCH, 500]
    assert all(one.created_at <= other.created_at for one, other in pairwise(entries))
    assert SINCE <= entries[0].created_at <= entries[-1].created_at < UNTIL
    assert all(entry.created_at.microsecond % 1000 == 0 for entry in entries)


def test_every_entry_would_have_been_accepted_at_a_door(entries):
    for entry in entries[::50]:
        draft = Draft(
            entry.name,
            entry.data,
            id=entry.id,
            level=entry.level,
            service=entry.service,
            protocol=entry.protocol,
            request_id=entry.request_id,
            trace_id=entry.trace_id,
            timestamp=entry.created_at.isoformat(),
            span_id=entry.span_id,
            fields=entry.fields,
        )
        assert accept(draft, arrival("http", UNTIL)) == entry


def test_levels_have_the_promised_parts(entries):
    parts = {level: count / COUNT for level, count in Counter(entry.level for entry in entries).items()}

    wanted = {"DEBUG": 0.2, "INFO": 0.7, "WARNING": 0.08, "ERROR": 0.018, "CRITICAL": 0.002}
    assert set(parts) == set(LEVELS)
    assert all(parts[level] == pytest.approx(part, abs=0.01) for level, part in wanted.items())


def test_few_names_are_frequent_and_most_are_rare(entries):
    counted = Counter(entry.name for entry in entries)
    (name, most), *_ = counted.most_common()

    assert name == recipe().names[0]
    assert 150 <= len(counted) <= 200
    assert most > 20 * counted.most_common()[len(counted) // 2][1] / 10
    assert {entry.service for entry in entries} == set(SERVICES)
    assert len(SERVICES) == 12


def test_traces_have_one_to_twelve_entries_that_belong_together(entries):
    traces = Counter(entry.trace_id for entry in entries if entry.trace_id)

    assert set(traces.values()) == set(range(1, 13))
    trace_id = next(found for found, count in traces.items() if count > 5)
    assert len({entry.request_id for entry in entries if entry.trace_id == trace_id}) == 1


def test_words_are_many_and_no_two_are_the_same():
    assert len(set(words())) == len(words()) == VOCABULARY
    assert all(folded_words(word) == {word} for word in words())


def test_known_words_occur_as_often_as_is_told(entries):
    needles = recipe().needles
    texts = [folded_words(entry.data) for entry in entries]

    def found(*wanted: str) -> int:
        return sum(1 for text in texts if text.issuperset(wanted))

    once, fifty, often = needles.kinds["once"][7], needles.kinds["fifty"][3], needles.kinds["often"][2]
    # one in twenty at the most, and of so few entries that is less than 5,000
    assert (found(once), found(fifty), found(often)) == (1, 50, COUNT // 20)
    assert needles.occurrences("often")[often] == COUNT // 20
    assert 25 <= found(fifty, needles.partner(fifty)) == needles.together(fifty, needles.partner(fifty)) < 50
    assert found(needles.absent[0]) == 0


def test_the_day_has_a_rhythm_and_bursts(entries):
    by_hour = Counter(entry.created_at.hour for entry in entries)
    by_minute = Counter(entry.created_at.replace(second=0, microsecond=0) for entry in entries)

    assert sum(by_hour[hour] for hour in range(11, 17)) > 2 * sum(by_hour[hour] for hour in range(6))
    assert by_minute.most_common(1)[0][1] > 4 * COUNT / (24 * 60)


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-n", "16777216"], ["-n", "x"], ["--hours", "0"]])
def test_a_wrong_number_is_one_clear_line(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)

    assert left.value.code == 2
    assert "argument" in capsys.readouterr().err


def test_without_a_running_system_there_is_one_line_that_says_how_to_start_it(tmp_path, capsys):
    assert cli.main(["-n", "1", "--instance", "nobody", "--state", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "seed-logs: the nobody system is not running; start it with: make up\n"
