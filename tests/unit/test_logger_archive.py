from __future__ import annotations

import errno
import gzip
import os
from datetime import UTC, datetime
from secrets import token_hex

import orjson
import pytest

from logger.domain import Draft, accept, arrival
from logger.keeping import archive
from logger.keeping.archive import DayFiles
from logger.keeping.retention import ArchiveError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry(text: str, moment: datetime = NOON):
    return accept(Draft("name", text, id=f"id-{text[:100]}"), arrival("http", moment))


def texts(path) -> list[str]:
    return [orjson.loads(line)["data"] for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "old" / "logs-2026-11-20.ndjson.gz"


@pytest.fixture
def files(path):
    return DayFiles(path.parent)


def test_each_day_of_the_entries_has_a_file_that_every_gzip_reads(files, path):
    files.append([entry("a"), entry("b", NOON.replace(day=21)), entry("c")])
    files.append([entry("d")])

    assert texts(path) == ["a", "c", "d"]
    assert texts(path.with_name("logs-2026-11-21.ndjson.gz")) == ["b"]
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_name_of_a_file_is_on_the_disk_before_its_entries_are_said_to_be(files, path, monkeypatch):
    done: list[bool] = []

    def sync(_folder):
        done.append(bool(done))
        if not done[-1]:
            raise OSError(errno.EIO, "as a crash at this place")

    monkeypatch.setattr(archive, "_sync_folder", sync)
    with pytest.raises(ArchiveError):
        files.append([entry("a")])
    assert path.exists()

    # another process knows nothing of it, and once is enough for each
    for process, syncs in ((files, 2), (DayFiles(path.parent), 3)):
        process.append([entry("b")])
        process.append([entry("c")])
        assert len(done) == syncs

    path.rename(path.with_name("elsewhere"))
    files.append([entry("d")])
    assert (len(done), texts(path)) == (4, ["d"])


@pytest.mark.parametrize("lost", [1, 7, 20, 40])
def test_a_portion_that_a_crash_cut_short_is_cut_off_before_the_next(files, path, lost):
    files.append([entry("a")])
    whole = path.stat().st_size
    # much longer than what comes next, which must not merely lie over its beginning
    files.append([entry("b"), *(entry(token_hex(100)) for _ in range(20))])
    os.truncate(path, path.stat().st_size - lost)

    files.append([entry("c")])

    assert texts(path) == ["a", "c"]
    assert path.stat().st_size > whole


def test_a_portion_whose_contents_never_reached_the_disk_is_cut_off(files, path):
    files.append([entry("a")])
    whole = path.stat().st_size
    files.append([entry("b")])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(whole + 30)
        file.write(bytes(size - whole - 30))

    files.append([entry("c")])

    assert texts(path) == ["a", "c"]


def test_zeros_behind_the_last_portion_are_cut_off(files, path):
    files.append([entry("a")])
    with path.open("ab") as file:
        file.write(bytes(500))

    files.append([entry("c")])

    assert texts(path) == ["a", "c"]


def test_a_file_of_somebody_else_is_left_alone(files, path):
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"mine " * 50))

    with pytest.raises(ArchiveError, match="move it away"):
        files.append([entry("a")])

    assert gzip.decompress(path.read_bytes()) == b"mine " * 50


def test_a_folder_that_cannot_be_made_is_an_error_that_names_no_path(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ArchiveError) as failed:
        DayFiles(tmp_path / "file" / "folder").append([entry("a")])

    assert str(tmp_path) not in failed.value.message
