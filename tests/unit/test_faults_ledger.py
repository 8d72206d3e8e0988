"""The ledger test must be able to fail: what is hidden, copied or changed in the store is found."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from common.ids import object_id_hex
from tests.faults import report
from tests.faults.availability import Tally
from tests.faults.comparing import Verdict, add_logins, compare
from tests.faults.doors import Door, FailedCallError, Refused
from tests.faults.ledger import Call, Fault, Identity, Ledger, seconds_until_back
from tests.faults.row import Row
from tests.faults.writing import ATTEMPTS, Writer
from tests.waiting import eventually


@pytest.fixture
def ledger():
    return Ledger()


def taken(ledger: Ledger, count: int = 3, *, identity: Identity = Identity.ID):
    entries = ledger.new("door", count, identity=identity)
    for entry in entries:
        ledger.took(entry, "mongodb")
    return entries


def document(entry, **changes):
    return {"_id": object_id_hex(entry.id or entry.name), "name": entry.name, "data": entry.data, **changes}


def test_what_was_acknowledged_and_is_there_once_is_good(ledger):
    entries = taken(ledger)

    verdict = compare(ledger.entries, map(document, entries))

    assert verdict.is_good
    assert (verdict.acknowledged, verdict.stored) == (3, 3)


def test_an_acknowledged_entry_that_is_hidden_is_lost(ledger):
    entries = taken(ledger)

    verdict = compare(ledger.entries, map(document, entries[1:]))

    assert not verdict.is_good
    assert [entries[0].name in each for each in verdict.lost] == [True]


def test_an_entry_that_nobody_acknowledged_may_be_there_or_not(ledger):
    there, _ = ledger.new("door", 2)

    verdict = compare(ledger.entries, [document(there)])

    assert verdict.is_good
    assert (verdict.acknowledged, verdict.stored) == (0, 1)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_second_record_of_an_entry_with_an_id_is_a_duplicate_whether_acknowledged_or_not(ledger, acknowledged):
    (entry,) = taken(ledger, 1) if acknowledged else ledger.new("door", 1)

    verdict = compare(ledger.entries, [document(entry), document(entry, _id="0" * 24)])

    assert not verdict.is_good
    assert len(verdict.duplicated) == 1


def test_a_second_record_of_a_retry_under_one_idempotency_key_is_a_duplicate(ledger):
    (entry,) = taken(ledger, 1, identity=Identity.KEY)

    verdict = compare(ledger.entries, [document(entry), document(entry, _id="0" * 24)])

    assert len(verdict.duplicated) == 1


def test_a_second_record_of_an_entry_without_an_identity_is_a_repetition(ledger):
    (entry,) = taken(ledger, 1, identity=Identity.NONE)

    verdict = compare(ledger.entries, [document(entry), document(entry, _id="0" * 24)])

    assert verdict.is_good
    assert len(verdict.repeated) == 1


@pytest.mark.parametrize("changes", [{"data": "other"}, {"_id": "0" * 24}])
def test_a_record_with_another_text_or_identity_than_was_sent_is_wrong(ledger, changes):
    (entry,) = taken(ledger, 1)

    assert len(compare(ledger.entries, [document(entry, **changes)]).wrong) == 1


def test_a_record_that_nobody_sent_is_wrong(ledger):
    verdict = compare(ledger.entries, [{"_id": "0" * 24, "name": f"{ledger.prefix}77", "data": ""}])

    assert not verdict.is_good


def test_a_login_without_its_event_is_lost_and_one_with_two_is_a_duplicate():
    verdict = Verdict()

    add_logins(verdict, ["one", "two", "three"], ["one", "two", "two", "failed but recorded"])

    assert verdict.lost == ["event of three"]
    assert verdict.duplicated == ["event of two: 2 times"]


def call(began: float, ended: float, error: str = "") -> Call:
    return Call("door", began, ended, error)


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        ([call(0, 1), call(11, 12)], 0.0),
        ([call(9, 11, "503"), call(21, 23)], 3.0),
        ([call(9, 11, "503"), call(12, 13), call(20, 24, "503"), call(25, 26)], 6.0),
        ([call(9, 11, "503"), call(12, 13)], 0.0),
        ([call(0, 1), call(9, 11, "503")], None),
        ([call(0, 1)], None),
    ],
    ids=["never failed", "back later", "failed again", "back before the end", "never back", "silent since"],
)
def test_a_door_is_back_with_the_first_success_after_its_last_failure(calls, seconds):
    assert seconds_until_back(calls, Fault(began=10, ended=20)) == seconds


class Scripted:
    """Tells what it was made to tell, one answer a call, the last one for ever."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.sent = []

    def send(self, entries):
        self.sent.append([entry.id for entry in entries])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer[: len(entries)]

    def close(self) -> None:
        pass


def written(sender: Scripted, ledger: Ledger, calls: int) -> Ledger:
    writer = Writer(Door("door", lambda _: sender, batch=2, pause=0.01), {}, ledger)
    writer.start()
    eventually(lambda: len(ledger.calls) >= calls)
    writer.stop()
    writer.join(20)
    return ledger


def test_a_writer_sends_what_failed_again_under_the_same_id(ledger):
    sender = Scripted(FailedCallError("HTTP 503"), ["mongodb", "queued"])

    written(sender, ledger, 1)

    assert sender.sent.count(sender.sent[0]) == 2
    assert {entry.place for entry in ledger.entries} == {"mongodb", "queued"}
    assert dict(ledger.errors) == {"HTTP 503": 1}


def test_a_writer_sends_only_the_refused_entries_of_a_call_again(ledger):
    sender = Scripted(["mongodb", Refused("no room", unexpected=False)], ["queued", "queued"])

    written(sender, ledger, 1)

    assert [sender.sent[0][1]] in sender.sent
    assert [entry.place for entry in ledger.entries[:2]] == ["mongodb", "queued"]


def test_a_writer_gives_an_entry_up_after_its_attempts_and_never_counts_it_as_acknowledged(ledger, monkeypatch):
    monkeypatch.setattr("tests.faults.writing.LONGEST_PAUSE", 0.01)
    sender = Scripted(FailedCallError("RPC garbage", unexpected=True))

    written(sender, ledger, 20)

    assert max(entry.attempts for entry in ledger.entries) == ATTEMPTS
    assert not any(entry.is_acknowledged for entry in ledger.entries)
    assert ledger.unexpected["door: RPC garbage"] == len(ledger.calls)


def test_a_row_can_be_written_as_json_with_what_its_clients_saw(ledger):
    (entry,) = taken(ledger, 1)
    ledger.called("door", 0.0, error="HTTP 503")
    ledger.called("door", 0.0)
    tally = Tally(good=2, slowest=0.5, errors=Counter({"HTTP 504": 1}))
    row = Row(
        "mongo", "kill", ledger, compare(ledger.entries, []), {"door": 1.5}, {"login": tally, "mail": tally}, 0, 9.0
    )

    written = json.loads(json.dumps(row.as_json()))

    assert (written["acknowledged"], written["stored"], written["lost"], written["duplicated"]) == (1, 0, 1, 0)
    assert (written["errors"], written["seconds_until_back"]) == ({"HTTP 503": 1}, 1.5)
    assert written["doors"]["door"]["acknowledged"] == {"mongodb": 1}
    assert written["login"] == {"good": 2, "slowest": 0.5, "errors": {"HTTP 504": 1}}
    assert entry.name in written["evidence"][0]
    assert any(entry.name in finding for finding in report.findings(row))
