from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from bson import ObjectId

from common.errors import InvalidError, UnavailableError
from common.ids import object_id_hex
from logger.domain import Draft, accept, arrival
from logger.memory.store import MemoryLogStore
from logger.transfer.exports import line_of
from logger.transfer.imports import BATCH, UNNAMED, Batch, Import, Record
from logger.transfer.ndjson import MAX_LINE, ImportFileError, LinesFile

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZERO = datetime(1, 1, 1, tzinfo=UTC)
# made on 2021-06-01T00:00:00Z
KEY = "60b57880aaaaaaaaaaaaaaaa"
MADE = datetime(2021, 6, 1, tzinfo=UTC)


class Target(MemoryLogStore):
    def __init__(self) -> None:
        super().__init__()
        self.fails_at = -1
        self.inserted = 0

    def insert(self, entries):
        self.inserted += 1
        if self.inserted == self.fails_at:
            raise UnavailableError("away")
        return super().insert(entries)

    def present(self, ids):
        return {each for each in ids if self.find(each)}


class Checkpoints(dict):
    def find(self, source):
        return self.get(source)

    def save(self, source, state):
        # as a database gives it back
        self[source] = orjson.loads(orjson.dumps(state))

    def remove(self, source):
        self.pop(source, None)


class Documents:
    """A collection, one batch for each list."""

    name = "documents"

    def __init__(self, *lists: list[dict[str, Any]]) -> None:
        self.lists = lists

    def batches(self, after):
        for index, documents in enumerate(self.lists):
            if index >= int(after or 0):
                records = [Record(each, f"_id {each['_id']}", str(each["_id"])) for each in documents]
                yield Batch(records, str(index + 1), None)


@pytest.fixture
def target():
    return Target()


@pytest.fixture
def marks():
    return Checkpoints()


def nothing(*_: object) -> None:
    pass


def run(target, source, marks=None, **options):
    return Import(target, marks if marks is not None else Checkpoints(), came=arrival("http", NOW)).run(
        source, nothing, **options
    )


def test_a_document_of_the_go_original_keeps_its_id_and_its_times(target):
    created, updated = datetime(2021, 6, 2, tzinfo=UTC), datetime(2021, 6, 3, 1, 2, 3, 456789, tzinfo=UTC)
    document = {"_id": ObjectId(KEY), "name": "event", "data": "text", "created_at": created, "updated_at": updated}

    report = run(target, Documents([document]))

    entry = target.find(KEY)
    assert (entry.id, entry.name, entry.data, entry.level) == (KEY, "event", "text", "INFO")
    assert (entry.created_at, entry.updated_at) == (created, updated.replace(microsecond=456000))
    # nothing is made up
    assert (entry.protocol, entry.service, entry.request_id, entry.trace_id) == ("", "", "", "")
    assert (report.read, report.new, report.undated) == (1, 1, 0)


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"created_at": ZERO, "updated_at": ZERO},
        {"created_at": None},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"created_at": datetime(1970, 1, 1, tzinfo=UTC), "updated_at": "1970-01-01T00:00:00Z"},
    ],
)
def test_a_time_that_is_zero_or_missing_comes_from_the_object_id(target, times):
    run(target, Documents([{"_id": ObjectId(KEY), "name": "event", "data": "text", **times}]))

    assert target.find(KEY).created_at == target.find(KEY).updated_at == MADE


@pytest.mark.parametrize("year", [2, 1969, 1989])
def test_a_time_that_is_merely_old_stays(target, year):
    created = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)

    run(target, Documents([{"_id": ObjectId(KEY), "created_at": created}]))

    assert (target.find(KEY).created_at, target.find(KEY).updated_at) == (created, created)


def test_an_id_without_a_time_gets_that_of_the_import_and_a_missing_name_a_stand_in(target):
    report = run(target, Documents([{"_id": "order-17"}, {"_id": "ffffffffffffffffffffffff", "name": ""}]))

    assert (target.find("order-17").created_at, target.find("order-17").name) == (NOW, UNNAMED)
    assert target.find("ffffffffffffffffffffffff").created_at == NOW
    assert (report.undated, report.unnamed, report.new) == (2, 2, 2)


def test_what_breaks_a_rule_is_refused_with_its_reason_and_counted(target):
    good = {"name": "event", "data": "text", "created_at": NOW}
    report = run(
        target,
        Documents(
            [
                {"_id": ObjectId(), **good},
                {"_id": ObjectId(KEY), **good, "level": "LOUD"},
                {"_id": ObjectId(), **good, "level": "LOUDER"},
                {"_id": ObjectId(), **good, "data": "a\x00b"},
                {"_id": ObjectId(), **good, "data": 5},
                {"_id": ObjectId(), **good, "name": "x" * 300},
                {"_id": "not safe!", **good},
                {"_id": 5, **good, "created_at": "yesterday"},
                {"_id": ObjectId(), **good, "protocol": "smtp"},
                {"_id": ObjectId(), **good, "fields": {"$where": 1}},
                {"_id": ObjectId(), **good, "category": "other"},
            ]
        ),
    )

    assert (report.new, report.refused.total(), len(target)) == (1, 10, 1)
    (reason,) = [reason for reason, count in report.refused.items() if count == 2]
    assert reason.startswith("level: must be one of")
    assert report.examples[reason][0] == f"_id {KEY}"


def test_a_repetition_changes_nothing(target):
    source = Documents([{"_id": ObjectId(KEY), "name": "event", "data": "text"}])
    run(target, source)
    before = target.find(KEY)

    report = run(target, Documents([{"_id": ObjectId(KEY), "name": "event", "data": "changed"}]))

    assert (report.new, report.present) == (0, 1)
    assert target.find(KEY) == before


def test_the_same_entry_twice_in_one_batch_is_one(target):
    twice = Documents([{"_id": ObjectId(KEY), "name": "a"}, {"_id": ObjectId(KEY), "name": "b"}])

    rehearsed = Import(target, Checkpoints(), came=arrival("http", NOW)).rehearse(twice, nothing)
    done = run(target, twice)

    assert (rehearsed.new, rehearsed.present) == (done.new, done.present) == (1, 1)


def test_a_rehearsal_counts_an_id_again_that_comes_in_a_later_batch(target):
    twice = Documents([{"_id": ObjectId(KEY), "name": "a"}], [{"_id": ObjectId(KEY), "name": "b"}])

    rehearsed = Import(target, Checkpoints(), came=arrival("http", NOW)).rehearse(twice, nothing)
    done = run(target, twice)

    assert ((rehearsed.new, rehearsed.present), (done.new, done.present)) == ((2, 0), (1, 1))


def test_a_rehearsal_says_what_would_be_and_stores_nothing(target, marks):
    run(target, Documents([{"_id": ObjectId(KEY), "name": "there"}]))
    source = Documents([{"_id": ObjectId(KEY), "name": "there"}, {"_id": ObjectId()}, {"_id": ObjectId(), "data": 1}])

    report = Import(target, marks, came=arrival("http", NOW)).rehearse(source, nothing)

    assert (report.read, report.new, report.present, report.refused.total()) == (3, 1, 1, 1)
    assert (len(target), marks) == (1, {})


def test_an_import_that_was_broken_off_goes_on_behind_its_last_batch(target, marks):
    lists = [[{"_id": ObjectId(), "name": "event", "data": batch if batch == 2 else ""}] for batch in range(4)]
    target.fails_at = 3
    with pytest.raises(UnavailableError):
        run(target, Documents(*lists), marks)
    assert (len(target), len(marks)) == (2, 1)

    seen: list[int] = []
    work = Import(target, marks, came=arrival("http", NOW))
    report = work.run(Documents(*lists), lambda report, _share: seen.append(report.read))

    assert seen == [4]
    assert (report.read, report.new, report.refused.total(), len(target), marks) == (4, 3, 1, 3, {})


def test_an_import_that_begins_again_since_no_place_was_kept_counts_again(target, marks):
    class Unplaced(Documents):
        def batches(self, after):
            assert after == ""
            return (batch._replace(place="") for batch in super().batches(after))

    source = Unplaced(*[[{"_id": ObjectId(), "data": batch if batch == 0 else ""}] for batch in range(4)])
    target.fails_at = 3
    with pytest.raises(UnavailableError):
        run(target, source, marks)

    report = run(target, source, marks)

    assert (report.read, report.new, report.present, report.refused.total()) == (4, 1, 2, 1)


def test_an_import_may_begin_afresh(target, marks):
    lists = [[{"_id": ObjectId(), "name": "event"}] for _ in range(3)]
    target.fails_at = 3
    with pytest.raises(UnavailableError):
        run(target, Documents(*lists), marks)

    report = run(target, Documents(*lists), marks, afresh=True)

    assert (report.read, report.new, report.present) == (3, 1, 2)


# --- files


def written(tmp_path, *lines: bytes | dict, packed: bool = False):
    text = b"".join(line if isinstance(line, bytes) else orjson.dumps(line) + b"\n" for line in lines)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(text) if packed else text)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_an_export_comes_back_as_the_same_entries(target, tmp_path, packed):
    draft = Draft("name", "Größe", id="x", level="error", service="s", protocol="amqp", fields={"a": [1, None]})
    entries = [accept(draft, arrival("http", NOW)), accept(Draft("n", "d", category="audit"), arrival("rpc", NOW))]
    trailer = {"export": {"entries": 2, "complete": True}}

    source = LinesFile(written(tmp_path, *map(line_of, entries), b"\n", trailer, packed=packed))
    report = run(target, source)

    assert (report.read, report.new, source.incomplete) == (2, 2, "")
    assert [target.find(entry.id) for entry in entries] == entries


def test_an_export_that_was_not_complete_is_told(target, tmp_path):
    source = LinesFile(written(tmp_path, {"export": {"entries": 0, "complete": False, "reason": "r", "until": None}}))

    run(target, source)

    assert source.incomplete == "the export ended early, at None: r"


def test_lines_of_an_archive_have_no_last_line_and_are_complete(target, tmp_path):
    source = LinesFile(written(tmp_path, line_of(accept(Draft("name", "text"), arrival("http", NOW)))))

    assert (run(target, source).new, source.incomplete) == (1, "")


def test_mongoexports_types_are_understood(target, tmp_path):
    line = b'{"_id":{"$oid":"%b"},"name":"e","data":"x","created_at":{"$date":"2021-06-02T01:02:03.004Z"}}\n'
    zero = b'{"_id":{"$oid":"%b"},"name":"e","created_at":{"$date":{"$numberLong":"-62135596800000"}}}\n'
    other = KEY.replace("a", "b")

    run(target, LinesFile(written(tmp_path, line % KEY.encode(), zero % other.encode())))

    assert target.find(KEY).created_at == datetime(2021, 6, 2, 1, 2, 3, 4000, tzinfo=UTC)
    assert target.find(other).created_at == MADE


def test_lines_that_are_no_entries_are_refused_one_by_one(target, tmp_path):
    long = b'{"name":"n","data":"' + b"x" * MAX_LINE + b'"}\n'
    path = written(tmp_path, b"{\n", b"[]\n", long, b'{"_id":{"$oid":"zz"}}\n', {"name": "good", "data": ""})

    report = run(target, LinesFile(path))

    assert (report.new, report.refused.total()) == (1, 4)
    assert set(report.refused) == {
        "a line is not JSON",
        "a line is not a JSON object",
        f"a line is longer than {MAX_LINE} bytes",
    }


@pytest.mark.parametrize(
    "line",
    [
        b'{"name":"a","data":"b","fields":{"$numberDecimal":"x"},"x":{"$oid":"6b0193566b524d6463595e03"}}\n',
        b'{"$oid":' + b"[" * 100_000 + b"\n",
        b'{"_id":{"$oid":"' + KEY.encode() + b'"},"x":{"$timestamp":{}}}\n',
    ],
    ids=["no number", "too deep", "a type with a part missing"],
)
def test_a_type_of_mongoexport_that_cannot_be_read_costs_its_line_and_not_the_import(target, tmp_path, line):
    report = run(target, LinesFile(written(tmp_path, line, {"name": "good", "data": ""})))

    assert (report.new, dict(report.refused)) == (1, {"a line is not JSON": 1})


def test_lines_without_an_id_are_still_stored_once(target, tmp_path):
    path = written(tmp_path, *[{"name": "n", "data": "same"}] * 3)

    first, again = (run(target, LinesFile(path)) for _ in range(2))

    assert ((first.new, first.undated), again.new, len(target)) == ((3, 3), 0, 3)


def test_a_file_is_read_in_batches_and_goes_on_in_the_middle(tmp_path):
    path = written(tmp_path, *({"name": "n", "data": str(number)} for number in range(BATCH * 2 + 1)), packed=True)
    first, second, last = LinesFile(path).batches("")

    assert [len(each.records) for each in (first, second, last)] == [BATCH, BATCH, 1]
    assert last.share == 1.0
    assert list(LinesFile(path).batches(first.place)) == [second, last]


@pytest.mark.parametrize("damage", [b"", b"\xff" * 5000])
def test_a_file_that_is_damaged_or_cut_short_is_read_to_its_last_whole_line(target, marks, tmp_path, damage):
    path = written(tmp_path, *({"name": "n", "data": str(number)} for number in range(20_000)), packed=True)
    sound = path.read_bytes()[:-5000]
    path.write_bytes(sound + damage)
    readable = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(sound).count(b"\n")

    for _ in range(2):
        with pytest.raises(ImportFileError, match="cut short"):
            run(target, LinesFile(path), marks)

    assert readable % BATCH
    assert readable <= len(target) < 20_000
    assert damage or len(target) == readable


def test_a_file_that_is_not_there_is_one_clear_sentence(tmp_path):
    with pytest.raises(InvalidError, match="No such file or directory"):
        LinesFile(tmp_path / "nothing")


def test_the_key_of_an_entry_in_the_store_is_its_id(target, tmp_path):
    path = written(tmp_path, {"id": "order-17", "name": "n", "data": ""})
    run(target, LinesFile(path))

    assert target.find(object_id_hex("order-17")).id == "order-17"
