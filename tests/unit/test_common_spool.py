"""Real files, processes that are killed, and disks that fail."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from common.errors import TooManyError, UnavailableError
from common.spool import files
from common.spool.frames import frame, frame_size, read_frames
from common.spool.replay import Replayer
from common.spool.slot import SEGMENT_BYTES, Slot
from common.spool.spool import Spool
from tests.system import ROOT
from tests.waiting import eventually

RECORDS = [b"", b"one", b"x" * 300, b"\xabREC in the middle", "öffnen".encode()]


def claimed(folder: Path) -> Slot:
    slot = Slot.claim(folder)
    assert slot is not None
    return slot


def drained(slot: Slot) -> list[bytes]:
    found: list[bytes] = []
    while (batch := slot.oldest(2)).records:
        found += batch.records
        slot.passed(batch)
    return found


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.records"))


@pytest.fixture
def slot(tmp_path) -> Iterator[Slot]:
    slot = claimed(tmp_path / "slot-0")
    yield slot
    slot.release()


@pytest.fixture
def spool(tmp_path) -> Iterator[Spool]:
    spool = Spool(tmp_path, max_bytes=100_000)
    spool.start()
    yield spool
    spool.stop()


# --- frames ---------------------------------------------------------------------------------------------------------


def test_of_a_file_that_ends_anywhere_all_whole_records_are_read():
    data = b"".join(map(frame, RECORDS))
    ends = [sum(map(frame_size, RECORDS[: count + 1])) for count in range(len(RECORDS))]

    for length in range(len(data) + 1):
        found = list(read_frames(data[:length]))
        whole = sum(end <= length for end in ends)
        assert [each.record for each in found if each.record is not None] == RECORDS[:whole]
        assert (found[-1].end if found else 0) == length


def test_one_spoiled_byte_anywhere_costs_one_record_and_no_other():
    data = b"".join(map(frame, RECORDS))

    for position in range(len(data)):
        spoiled = data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]
        found = [each.record for each in read_frames(spoiled) if each.record is not None]
        assert len(found) == len(RECORDS) - 1
        assert all(record in RECORDS for record in found)


# --- one slot -------------------------------------------------------------------------------------------------------


def test_records_come_out_in_the_order_they_came_and_nothing_stays_on_the_disk(slot):
    slot.append(RECORDS[:2])
    slot.append(RECORDS[2:])
    assert slot.records == len(RECORDS)

    assert drained(slot) == RECORDS
    assert (slot.records, slot.size, segments(slot.folder)) == (0, 0, [])

    slot.append([b"later"])
    assert drained(slot) == [b"later"]


def test_what_was_not_passed_comes_again_after_a_restart_and_what_was_passed_does_not(slot):
    slot.append(RECORDS)
    slot.passed(slot.oldest(2))
    slot.oldest(2)
    slot.release()

    again = claimed(slot.folder)

    assert again.records == len(RECORDS) - 2
    again.append([b"new"])
    assert drained(again) == [*RECORDS[2:], b"new"]
    again.release()


@pytest.mark.parametrize("tail", ["torn", "spoiled"])
def test_whatever_a_crash_left_at_the_end_is_cut_off_and_the_rest_is_there(tmp_path, tail):
    last = frame(b"never acknowledged")
    for length in range(1, len(last)):
        folder = tmp_path / f"{tail}-{length}"
        slot = claimed(folder)
        slot.append(RECORDS)
        slot.release()
        (segment,) = segments(folder)
        sound = segment.stat().st_size
        rest = last[:length] if tail == "torn" else last[: length - 1] + b"\x00" * (len(last) - length + 1)
        segment.write_bytes(segment.read_bytes() + rest)

        again = claimed(folder)

        if rest != last:
            assert segment.stat().st_size == sound
            assert drained(again) == RECORDS
        again.release()


def test_bytes_that_the_disk_spoiled_are_kept_and_what_comes_behind_them_is_read(tmp_path):
    folder = tmp_path / "slot-0"
    slot = claimed(folder)
    slot.append([b"first", b"second", b"third"])
    slot.release()
    (segment,) = segments(folder)
    segment.write_bytes(segment.read_bytes().replace(b"second", b"sXcond"))

    again = claimed(folder)

    assert drained(again) == [b"first", b"third"]
    (kept,) = folder.glob("damaged-*")
    assert b"sXcond" in kept.read_bytes()
    again.release()


def test_many_segments_and_records_larger_than_one_read(slot):
    large = [bytes([number]) * (SEGMENT_BYTES // 2 + 1) for number in range(5)]
    for record in large:
        slot.append([record])
    assert len(segments(slot.folder)) == 3

    assert drained(slot) == large


def test_a_position_that_cannot_be_read_repeats_records_and_loses_none(slot):
    slot.append(RECORDS)
    slot.passed(slot.oldest(1))
    (slot.folder / "position").write_text("nonsense")
    slot.release()

    again = claimed(slot.folder)

    assert drained(again) == RECORDS
    again.release()


def test_a_slot_has_one_owner(slot):
    assert Slot.claim(slot.folder) is None


class FailingDisk:
    """The system calls that write; `failing` ones raise, after `room` more bytes where they write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
        self.failing = False
        real, pwrite = getattr(os, call), os.pwrite

        def fail(*arguments):
            if not self.failing:
                return real(*arguments)
            if call == "pwrite" and len(arguments[1]) > 5:
                return pwrite(arguments[0], arguments[1][:5], arguments[2])
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(files.os, call, fail)


@pytest.mark.parametrize(
    ("call", "error"),
    [("pwrite", errno.ENOSPC), ("fdatasync", errno.EIO), ("fsync", errno.EIO), ("open", errno.EMFILE)],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_disk_that_fails_is_told_and_costs_nothing_that_was_acknowledged(slot, monkeypatch, call, error, first):
    disk = FailingDisk(monkeypatch, call, error)
    acknowledged = [] if first else [b"before"]
    if acknowledged:
        slot.append(acknowledged)

    disk.failing = True
    for attempt in range(3):
        with suppress(OSError):
            slot.append([b"attempt %d" % attempt])
            acknowledged.append(b"attempt %d" % attempt)
    disk.failing = False
    slot.append([b"after"])

    again = [record for record in drained(slot) if not record.startswith(b"attempt") or record in acknowledged]
    assert again == [*acknowledged, b"after"]


# --- the spool of a process -----------------------------------------------------------------------------------------


def test_two_processes_share_a_folder_and_one_finds_what_the_other_left(spool, tmp_path):
    other = Spool(tmp_path, max_bytes=100_000)
    other.start()
    other.append([b"left behind"])
    with spool.left() as left:
        assert left == []
    other.stop()

    with spool.left() as (slot,):
        assert drained(slot) == [b"left behind"]


def test_a_full_spool_refuses_and_has_room_again_when_it_was_emptied(spool):
    spool.append([b"x" * 90_000])
    with pytest.raises(TooManyError) as refused:
        spool.append([b"y" * 20_000])
    assert refused.value.retry_after == 5
    spool.append([b"small"])
    assert spool.backlog.records == 2

    assert len(drained(spool.own())) == 2

    spool.append([b"y" * 20_000])


def test_readiness_says_what_waits(spool):
    spool.check()
    spool.append([b"a", b"b"])

    with pytest.raises(UnavailableError, match=r"2 records wait \(26 bytes\)"):
        spool.check()


def test_readiness_says_that_records_of_another_process_wait(spool, tmp_path):
    other = Spool(tmp_path, max_bytes=100_000)
    other.start()
    other.append([b"left behind"])
    other.stop()

    with pytest.raises(UnavailableError, match=r"records of other processes wait \(in 1 files\)"):
        spool.check()


def test_a_folder_that_cannot_be_used_is_told_and_tried_again(tmp_path):
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file", max_bytes=1000)
    spool.start()
    with pytest.raises(UnavailableError, match="cannot be used"):
        spool.append([b"x"])
    with pytest.raises(UnavailableError):
        spool.check()

    (tmp_path / "file").unlink()

    eventually(lambda: spool.append([b"x"]) is None, seconds=5)
    spool.stop()


def test_a_failing_disk_is_no_acknowledgement(spool, monkeypatch):
    disk = FailingDisk(monkeypatch, "fdatasync", errno.EIO)
    disk.failing = True

    with pytest.raises(UnavailableError, match="cannot be written"):
        spool.append([b"x"])

    disk.failing = False
    spool.append([b"y"])
    assert b"y" in drained(spool.own())


def test_concurrent_appends_share_an_fsync_and_all_are_kept(spool, monkeypatch):
    syncs: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(files.os, "fdatasync", lambda descriptor: (syncs.append(1), real(descriptor)))
    names = [[b"%d-%d" % (number, part) for part in range(3)] for number in range(200)]

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(spool.append, names))

    assert 0 < len(syncs) < len(names)
    kept = drained(spool.own())
    assert sorted(kept) == sorted(record for each in names for record in each)
    assert all(kept.index(b"%d-1" % n) == kept.index(b"%d-0" % n) + 1 for n in range(len(names)))


APPENDER = """
import sys, threading
from pathlib import Path
from common.spool.spool import Spool
spool = Spool(Path(sys.argv[1]), max_bytes=10**8)
spool.start()
def write(number):
    for count in range(10**6):
        record = b"%d-%d " % (number, count) + b"x" * (count % 500)
        spool.append([record])
        sys.stdout.buffer.write(record.split()[0] + b"\\n")
        sys.stdout.buffer.flush()
threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
"""


@pytest.mark.parametrize("lines", [1, 57, 400])
def test_whatever_a_killed_process_acknowledged_is_there_in_order(tmp_path, lines):
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    process.wait()
    process.stdout.close()

    slot = claimed(tmp_path / "slot-0")
    kept = [record.split()[0] for record in drained(slot)]
    slot.release()

    assert len(kept) == len(set(kept))
    assert {line.strip() for line in acknowledged} <= set(kept)
    for number in range(8):
        mine = [int(name.partition(b"-")[2]) for name in kept if name.startswith(b"%d-" % number)]
        assert mine == list(range(len(mine)))


GREENLETS = """
import gevent.monkey
slow = __import__("time").sleep
gevent.monkey.patch_all()
import os, sys, time
from pathlib import Path
from common.spool.spool import Spool
os.fdatasync = lambda descriptor: slow(0.5)
spool = Spool(Path(sys.argv[1]), max_bytes=10**6)
spool.start()
append = gevent.spawn(spool.append, [b"x"])
ticks = 0
while not append.ready():
    time.sleep(0.01)
    ticks += 1
append.get()
spool.stop()
print(ticks)
"""


def test_a_slow_disk_holds_up_no_other_greenlet(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


# --- replay ---------------------------------------------------------------------------------------------------------


class Taker:
    """Takes records when it is there; refuses those that say so."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.taken: list[bytes] = []

    def __call__(self, records: Sequence[bytes]) -> list[str | None]:
        if not self.there.is_set():
            raise UnavailableError("away")
        self.taken += [record for record in records if b"bad" not in record]
        return ["never" if b"bad" in record else None for record in records]


def test_what_waits_is_replayed_in_order_as_soon_as_somebody_takes_it(spool, tmp_path):
    other = Spool(tmp_path, max_bytes=100_000)
    other.start()
    other.append([b"left"])
    other.stop()
    taker = Taker()
    replayer = Replayer(spool, taker)
    replayer.start()
    for number in range(1000):
        if number % 100 == 0:
            spool.append([b"%d" % n for n in range(number, number + 100)])
            replayer.notify()
    assert taker.taken == []

    taker.there.set()

    eventually(lambda: len(taker.taken) == 1001)
    replayer.stop()
    assert taker.taken == [*(b"%d" % number for number in range(1000)), b"left"]
    assert spool.backlog.records == 0


def test_what_nobody_will_ever_take_is_kept_with_the_reason_and_holds_nothing_up(spool):
    taker = Taker()
    taker.there.set()
    spool.append([b"good", b"bad \xff", b"better"])

    assert Replayer(spool, taker).replay() == 3

    assert taker.taken == [b"good", b"better"]
    (line,) = (spool.own().folder / "refused.jsonl").read_bytes().splitlines()
    assert orjson.loads(line) == {"reason": "never", "record": "bad \\xff"}
    with pytest.raises(UnavailableError, match="refused"):
        spool.check()


def test_a_batch_that_was_not_delivered_stays(spool):
    spool.append(RECORDS)

    with pytest.raises(UnavailableError):
        Replayer(spool, Taker()).replay()

    assert drained(spool.own()) == RECORDS
