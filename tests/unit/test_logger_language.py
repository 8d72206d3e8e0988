from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import InvalidError
from logger.query.filters import MAX_CONDITIONS, MAX_VALUE_CHARACTERS, MAX_VALUES, Condition, Filter, at_least
from logger.query.language import MAX_QUERY_CHARACTERS, MEMBERS, QueryError, filter_of, parse, pointed, render
from protos.limits import LEVELS, PROTOCOLS

NOW = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def read(text: str) -> Filter:
    return parse(text, now=NOW)


def conditions(text: str) -> tuple[Condition, ...]:
    return read(text).conditions


def refused(text: str) -> tuple[int, str]:
    with pytest.raises(QueryError) as caught:
        read(text)
    error = caught.value
    assert error.message.startswith(f"position {error.position}: ")
    assert [(problem.pointer, problem.detail) for problem in error.problems] == [("#/q", error.message)]
    return error.position, error.message.split(": ", 1)[1]


def asked(**values: Any) -> Filter:
    return filter_of(values, now=NOW)


def problems(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidError) as caught:
        filter_of(values, now=NOW)
    return {problem.pointer: problem.detail for problem in caught.value.problems}


def outcome(act: Any, kind: type[Exception]) -> Any:
    try:
        return act(), None
    except kind as error:
        return None, error


# The text.


def test_no_term_asks_for_everything():
    assert read("") == read(" \t\n ") == Filter()


def test_all_terms_must_hold_in_the_order_in_which_they_stand():
    assert conditions("service:auth name:login\tfailed") == (
        Condition("service", ("auth",)),
        Condition("name", ("login",)),
        Condition("data", ("failed",)),
    )


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("name:order.created", Condition("name", ("order.created",))),
        ("name=order.created", Condition("name", ("order.created",))),
        ("service:auth,mailer", Condition("service", ("auth", "mailer"))),
        ("service:auth,auth", Condition("service", ("auth",))),
        ("protocol:grpc,AMQP", Condition("protocol", ("grpc", "amqp"))),
        ("id:a-b.c:d", Condition("id", ("a-b.c:d",))),
        ("request_id:r1", Condition("request_id", ("r1",))),
        (f"trace_id:{TRACE}", Condition("trace_id", (TRACE,))),
        (f"span_id:{SPAN}", Condition("span_id", (SPAN,))),
        ("category:audit", Condition("category", ("audit",))),
        ('name:"my name"', Condition("name", ("my name",))),
        (r'name:"a \"b\" \\ c:\d"', Condition("name", (r'a "b" \ c:\d',))),
        ('name:"a,b",c', Condition("name", ("a,b", "c"))),
        ("-name:heartbeat", Condition("name", ("heartbeat",), negated=True)),
        ("level:error", Condition("level", ("ERROR", "CRITICAL"))),
        ("level:warn", Condition("level", ("WARNING", "ERROR", "CRITICAL"))),
        ("level=Error", Condition("level", ("ERROR",))),
        ("level=debug,fatal", Condition("level", ("DEBUG", "CRITICAL"))),
        ("-level:error", Condition("level", ("ERROR", "CRITICAL"), negated=True)),
        ("timeout", Condition("data", ("timeout",))),
        ("timeout,refused", Condition("data", ("timeout", "refused"))),
        ('"disk full","no space"', Condition("data", ("disk full", "no space"))),
        ('-"health check"', Condition("data", ("health check",), negated=True)),
        ('"-1"', Condition("data", ("-1",))),
        ("12:30:05", Condition("data", ("12:30:05",))),
        ("user@example.org", Condition("data", ("user@example.org",))),
        ("main()", Condition("data", ("main()",))),
        ("größe", Condition("data", ("größe",))),
    ],
)
def test_a_term_is_one_condition(text, condition):
    assert conditions(text) == (condition,)


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("fields.user.id:42", "user.id", (42, "42")),
        ("fields.price:1.5", "price", (1.5, "1.5")),
        ("fields.price:-1e3", "price", (-1000.0, "-1e3")),
        ("fields.ok:true", "ok", (True, "true")),
        ("fields.ok:null", "ok", (None,)),
        ("fields.ok:1,true", "ok", (1, "1", True, "true")),
        ('fields.user.id:"42"', "user.id", ("42",)),
        ("fields.user.id=42", "user.id", (42,)),
        ('fields.user.id="42"', "user.id", ("42",)),
        ('fields.note:""', "note", ("",)),
        ("fields.version:007", "version", ("007",)),
        ("fields.big:18446744073709551616", "big", (2.0**64, "18446744073709551616")),
        ("fields.huge:1e999", "huge", ("1e999",)),
        ("fields.first-name:Ann", "first-name", ("Ann",)),
        ('fields."first name"."a:b":Ann', "first name.a:b", ("Ann",)),
    ],
)
def test_a_path_in_the_structured_data_finds_scalars(text, path, values):
    (condition,) = conditions(text)

    assert condition == Condition(f"fields.{path}", values)
    assert list(map(type, condition.values)) == list(map(type, values))


def test_times_count_from_now_or_are_absolute_and_days_begin_at_midnight_utc():
    now = NOW.replace(microsecond=124_000)

    assert read("since:2h") == Filter(since=now - timedelta(hours=2))
    assert read("since:1w until:3d") == Filter(now - timedelta(weeks=1), now - timedelta(days=3))
    assert read("until:2026-11-21") == Filter(until=datetime(2026, 11, 21, tzinfo=UTC))
    assert read("since:2026-11-21T10:00:00+02:00") == Filter(since=datetime(2026, 11, 21, 8, tzinfo=UTC))
    assert read('since="2026-11-21 10:00:00z"') == Filter(since=datetime(2026, 11, 21, 10, tzinfo=UTC))


def test_times_finer_than_those_of_entries_are_rounded_up_so_that_the_same_entries_lie_behind_them():
    assert read("since:2026-11-21T10:00:00.000001Z").since == datetime(2026, 11, 21, 10, 0, 0, 1000, tzinfo=UTC)
    assert read("since:2026-11-21T10:00:00.001Z").since == datetime(2026, 11, 21, 10, 0, 0, 1000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["or", "OR", "AND gate", "gate OR", '"OR"', 'a "OR" b', "NOT", "and so on", "a or b"])
def test_what_can_only_be_meant_as_a_word_is_one(text):
    assert all(condition.field == "data" and not condition.negated for condition in conditions(text))


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("since:2h     lvl:error", 13, 'unknown field "lvl"; did you mean "level"?'),
        ("-Level:error", 1, 'did you mean "level"?'),
        ("sevice:auth", 0, 'did you mean "service"?'),
        ("x http://example.org", 2, "put text that has a colon or an equals sign in quotes"),
        ("Error: disk", 0, "in quotes"),
        ("message:x", 0, "words that stand alone search the text"),
        ("fields:x", 0, "takes a path"),
        ("fields.:x", 0, "keys of 1 to"),
        ("fields.a..b:x", 0, "keys of 1 to"),
        ("a fields.a.$ne:x", 2, "start with $"),
        ("fields.a.b.c.d.e.f:x", 0, "5 keys deep"),
        ("name:", 5, "a value is missing"),
        ("name: x", 5, "a value is missing"),
        ('name:""', 5, "must not be empty"),
        ("service:auth, mailer", 13, "a value is missing"),
        ("service:,auth", 8, "a value is missing"),
        ("-", 1, "a value is missing"),
        ("a - b", 3, "a value is missing"),
        ("--a", 1, "one - is enough"),
        ('name:"open', 5, "not closed"),
        ('name:"open\\"', 5, "not closed"),
        ('na"me', 2, "in the middle"),
        ('"a"b', 3, "white space or a comma"),
        ("a OR b", 2, "separate the values of one field, or words, by commas"),
        ("a AND b", 2, "all terms must hold"),
        ("NOT a", 0, "write -"),
        ("a || b", 2, "by commas"),
        ("name:a && b", 7, "all terms must hold"),
        ("(a OR b)", 0, "no groups"),
        ("level:(error)", 6, "no groups"),
        ("name:order.*", 11, "no wildcards"),
        ("level:loud", 6, "must be one of DEBUG, INFO"),
        ("level:info,error", 11, "level=a,b"),
        ("level=info,loud", 11, "must be one of DEBUG, INFO"),
        ("protocol:http,pigeon", 14, "must be one of http, rpc"),
        ("trace_id:abc", 9, "32 hexadecimal digits"),
        ("span_id:abc", 8, "16 hexadecimal digits"),
        ("category:secret", 9, "must be audit"),
        ('id:"a b"', 3, "letters, digits"),
        ("since:yesterday", 6, "must be a time such as 2h"),
        ("since:2026-02-30", 6, "must be a time such as 2h"),
        ("since:2026-11-21T10:00:00", 6, "with Z or an offset"),
        ("since:999999999w", 6, "must be a time such as 2h"),
        ("until:9999-12-31T23:59:59.9999Z", 6, "must be a time such as 2h"),
        ("since:1h,2h", 9, "one time"),
        ("since:1h since:2h", 9, "is there already"),
        ("-since:1h", 0, "cannot be negated"),
        ("since:1h until:2h", 15, "until must be later than since"),
        ("until:1h  since:1h", 16, "until must be later than since"),
        ("a\x00b", 1, "NUL"),
        ("ab\ud800", 2, "surrogates"),
        (f"a name:{'n' * (MAX_VALUE_CHARACTERS + 1)}", 7, "longer than 1,000 characters"),
        (f"fields.a:{'n' * (MAX_VALUE_CHARACTERS + 1)}", 9, "longer than 1,000 characters"),
        ("a " * MAX_CONDITIONS + "b", 2 * MAX_CONDITIONS, "at most 32 terms"),
        ("a -" + ",".join(map(str, range(MAX_VALUES + 1))), 2, "more than 100 values"),
        ("a" * (MAX_QUERY_CHARACTERS + 1), MAX_QUERY_CHARACTERS, "at most 4,096 characters"),
    ],
)
def test_a_fault_is_told_with_its_place(text, position, message):
    place, told = refused(text)

    assert (place, message in told) == (position, True), told


def test_an_endless_name_is_not_repeated_at_full_length():
    _, told = refused("x" * 4_000 + ":1")

    assert len(told) < 200


def test_the_largest_query_is_read():
    assert len(conditions("a " * MAX_CONDITIONS)) == MAX_CONDITIONS
    assert len(conditions(",".join(map(str, range(MAX_VALUES))))[0].values) == MAX_VALUES
    assert read("since:2h" + " " * (MAX_QUERY_CHARACTERS - 8)).conditions == ()


def test_a_terminal_shows_a_caret_under_the_fault():
    assert pointed("since:2h lvl:error", 9) == "since:2h lvl:error\n" + " " * 9 + "^"
    assert pointed("name:", 5) == "name:\n     ^"
    assert pointed("", 0) == "\n^"


def test_the_caret_stands_right_in_long_lines_and_beside_wide_marked_or_unprintable_characters():
    line, caret = pointed("x" * 500 + "!" + "y" * 500, 500).split("\n")

    assert len(line) == 72
    assert line[caret.index("^")] == "!"
    assert pointed("日本 x", 3) == "日本 x\n" + " " * 5 + "^"
    assert pointed("e\u0301 x", 3) == "e\u0301 x\n" + "  ^"
    assert pointed("\x1b[1m\nx", 5) == " [1m x\n     ^"


# The parameters.


def test_parameters_of_a_query_string_give_the_same_filter_as_a_text():
    values = {
        "q": '"disk full" -name:heartbeat',
        "since": "2h",
        "until": "1h",
        "level": "warn",
        "service": ["auth", "mailer"],
        "fields.user.id": "42",
        "words": "no space",
    }

    assert filter_of(values, now=NOW) == read(
        '"disk full" -name:heartbeat since:2h until:1h level:warn service:auth,mailer "no space" fields.user.id:42'
    )


def test_parameters_of_a_json_body_mean_what_their_types_say():
    values = {
        "level_is": ["info", "error"],
        "not": {"name": "heartbeat", "words": ["ping", "health check"], "level": "error", "fields": {"dry": True}},
        "fields": {"user.id": 42, "plan": ["free", None], "note": "", "zip": "1010"},
    }

    assert filter_of(values, now=NOW) == read(
        'level=info,error fields.note="" fields.plan=free,null fields.user.id=42 fields.zip="1010"'
        ' -name:heartbeat -level:error -ping,"health check" -fields.dry=true'
    )


def test_the_order_of_the_parameters_makes_no_difference():
    one = {"fields": {"a": 1, "b": 2}, "service": "auth", "name": "login", "fields.c": "3"}
    other = {"fields.c": "3", "name": "login", "service": "auth", "fields": {"b": 2, "a": 1}}

    assert filter_of(one, now=NOW) == filter_of(other, now=NOW)


def test_the_narrower_of_two_times_counts():
    assert asked(q="since:2h until:1h", since="3h", until="90m") == read("since:2h until:90m")
    assert asked(q="since:2h", since="1h") == read("since:1h")


def test_no_parameter_asks_for_everything():
    assert asked() == asked(q="") == asked(q=" ", fields={}) == Filter()


def test_a_query_alone_at_fault_keeps_its_position():
    with pytest.raises(QueryError, match="position 5: "):
        asked(q="name:", level="error")


def test_every_fault_is_named_at_once():
    found = problems(
        {
            "q": "lvl:error",
            "since": "yesterday",
            "level": "loud",
            "levl": "error",
            "name": {"$ne": 1},
            "service": ["auth", 1, {}],
            "not": {"naem": "x", "id": "a b"},
            "fields": {"$where": "1", "a/b~c": {"d": 1}, "deep": [[1]]},
        }
    )

    assert found == {
        "#/levl": 'is not known; did you mean "level"?',
        "#/q": 'position 0: unknown field "lvl"; did you mean "level"?',
        "#/since": found["#/since"],
        "#/name": "must be a text or a list of texts",
        "#/level": "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
        "#/service/1": "must be a text",
        "#/service/2": "must be a text",
        "#/fields/$where": found["#/fields/$where"],
        "#/fields/a~1b~0c": found["#/fields/a~1b~0c"],
        "#/fields/deep/0": found["#/fields/deep/0"],
        "#/not/naem": 'is not known; did you mean "name"?',
        "#/not/id": found["#/not/id"],
    }


@pytest.mark.parametrize(
    ("values", "pointer", "detail"),
    [
        ({"q": ["a", "b"]}, "#/q", "must be one text"),
        ({"q": {"$regex": "a"}}, "#/q", "must be one text"),
        ({"since": ["1h", "2h"]}, "#/since", "must be one text"),
        ({"since": 1}, "#/since", "must be one text"),
        ({"since": "1h", "until": "2h"}, "#/until", "later than since"),
        ({"q": "until:2h", "since": "1h"}, "#/since", "later than"),
        ({"level": ["error", "info"]}, "#/level", "level_is takes a list"),
        ({"level": None}, "#/level", "must be one text"),
        ({"name": None}, "#/name", "must be a text"),
        ({"name": True}, "#/name", "must be a text"),
        ({"name": ""}, "#/name", "must not be empty"),
        ({"name": []}, "#/name", "1 to 100"),
        ({"name": ["n"] * 101}, "#/name", "1 to 100"),
        ({"name": ["a", {"$gt": ""}]}, "#/name/1", "must be a text"),
        ({"name": "n" * 1_001}, "#/name", "longer than 1,000"),
        ({"words": "a\x00"}, "#/words", "NUL"),
        ({"words": "\udcff"}, "#/words", "surrogates"),
        ({"$where": "sleep(1)"}, "#/$where", "is not known"),
        ({"x" * 5_000: "1"}, "#/" + "x" * 37 + "...", "is not known"),
        ({"not": "name"}, "#/not", "must be an object"),
        ({"not": {"not": {}}}, "#/not/not", "is not known"),
        ({"not": {"since": "1h"}}, "#/not/since", "is not known"),
        ({"not": {"fields": 1}}, "#/not/fields", "must be an object"),
        ({"fields": []}, "#/fields", "must be an object"),
        ({"fields": {"a": {"$ne": 1}}}, "#/fields/a", "with dots"),
        ({"fields": {"": 1}}, "#/fields/", "keys of 1 to"),
        ({"fields": {"a": math.inf}}, "#/fields/a", "finite"),
        ({"fields": {"a": 10**400}}, "#/fields/a", "finite"),
        ({"fields": {f"f{n}": 1 for n in range(33)}}, "#/fields", "32 paths"),
        ({"fields.a": {"b": 1}}, "#/fields.a", "with dots"),
        ({"fields.$a": "b"}, "#/fields.$a", "start with $"),
        ({"fields.a": [str(n) for n in range(51)]}, "#/fields.a", "counts twice"),
        ({"q": "a " * 32, "name": "b"}, "#", "32 conditions"),
    ],
)
def test_values_that_are_no_values_are_refused_where_they_stand(values, pointer, detail):
    found = problems(values)

    assert list(found) == [pointer]
    assert detail in found[pointer]


def test_the_message_names_the_first_fault():
    with pytest.raises(InvalidError, match=r"^not\.name\.1: must be a text$"):
        filter_of({"not": {"name": ["a", 1]}}, now=NOW)


def test_of_very_many_faults_some_are_told():
    assert len(problems({f"member {n}": n for n in range(10_000)})) == 20


# Properties.

plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
texts = plain | st.sampled_from(["OR", "AND", "NOT", "||", "-", "a,b", "*", "(", "null", "1", "true", "\\", '"', "a:b"])
moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001 - hypothesis wants bounds without a zone
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
safe_ids = st.text("abcXYZ019._:-", min_size=1, max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts | st.just("")
loose = numbers.map(lambda number: (number, str(number))) | st.sampled_from([(True, "true"), (False, "false")])
paths = st.lists(plain.filter(lambda key: key[0] != "$" and "." not in key), min_size=1, max_size=5).map(".".join)


def _several(values: Any) -> Any:
    return st.lists(values, min_size=1, max_size=4, unique_by=lambda value: (isinstance(value, bool), value)).map(tuple)


levels = _several(st.sampled_from(LEVELS)) | st.sampled_from(LEVELS).map(at_least)
terms = st.one_of(
    st.builds(Condition, st.sampled_from(["name", "service", "data"]), _several(texts), st.booleans()),
    st.builds(Condition, st.sampled_from(["id", "request_id"]), _several(safe_ids), st.booleans()),
    st.builds(Condition, st.just("level"), levels, st.booleans()),
    st.builds(Condition, st.just("protocol"), _several(st.sampled_from(PROTOCOLS)), st.booleans()),
    st.builds(Condition, st.just("trace_id"), st.just((TRACE,)), st.booleans()),
    st.builds(Condition, st.just("span_id"), st.just((SPAN,)), st.booleans()),
    st.builds(Condition, paths.map("fields.".__add__), _several(scalars) | loose, st.booleans()),
)
ranges = st.tuples(st.none() | moments, st.none() | moments).filter(lambda pair: None in pair or pair[0] < pair[1])
filters = st.builds(lambda pair, found: Filter(*pair, tuple(found)), ranges, st.lists(terms, max_size=5))


@given(filters)
@example(Filter(conditions=(Condition("level", ("CRITICAL",)),)))
@example(Filter(conditions=(Condition("fields.a", (1, "1", "1.0")),)))
@example(Filter(conditions=(Condition("fields.a", ("1", 1)),)))
@example(Filter(conditions=tuple(Condition("data", (word,)) for word in ("a", "OR", "NOT", "b"))))
@example(Filter(since=datetime(1, 1, 1, tzinfo=UTC)))
def test_a_filter_written_as_text_is_read_as_the_same_filter(wanted):
    text = render(wanted)

    found = parse(text, now=NOW)

    assert found == wanted
    assert [list(map(type, each.values)) for each in found.conditions] == [
        list(map(type, each.values)) for each in wanted.conditions
    ]
    assert render(found) == text


def test_a_filter_is_written_as_people_write_it():
    text = (
        'since:2h level:error -service:auth,mailer "disk full" fields.user.id:42 fields.ok=true fields."first name":Ann'
    )

    assert render(read(text)) == (
        "since:2026-11-21T10:00:00.124Z level:error -service:auth,mailer"
        ' "disk full" fields.user.id:42 fields.ok=true fields."first name":Ann'
    )


marks = st.sampled_from(':=,.- "\\()*$\x00\ud800\u3000\u0301\x1b')
pieces = marks | st.sampled_from(
    [
        "name",
        "level",
        "fields",
        "fields.a",
        "since",
        "until",
        "error",
        "2h",
        "2026-11-21",
        "OR",
        "AND",
        "1",
        "null",
        "日",
    ]
)


@given(st.text(max_size=60) | st.lists(pieces, max_size=20).map("".join))
def test_whatever_the_text_it_is_read_or_refused_with_a_place_in_it(text):
    found, error = outcome(lambda: read(text), QueryError)

    if error is None:
        assert read(render(found)) == found
    else:
        assert 0 <= error.position <= len(text)
        line, caret = pointed(text, error.position).split("\n")
        assert caret.strip() == "^"
        assert line.isprintable()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("$ne"), inner, max_size=3)
    ),
    max_leaves=5,
)
names = (
    st.sampled_from(MEMBERS) | st.sampled_from(["fields.a", "fields.", "fields.$a", "$or", ""]) | st.text(max_size=5)
)


@given(st.dictionaries(names, json_values | st.dictionaries(names, json_values, max_size=3), max_size=4))
def test_whatever_the_parameters_they_are_read_or_refused_with_pointers(values):
    found, error = outcome(lambda: filter_of(values, now=NOW), InvalidError)

    if error is None:
        assert read(render(found)) == found
    else:
        assert error.problems
