"""What a copy of a message says about its past, and what it must not say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.clock import FixedClock
from worker.clients.retry_tiers import RabbitRetryTiers
from worker.domain import Delivery, Postponed
from worker.history import MAX_ATTEMPTS, attempts, failed, next_tier, parked, replayed, returning

AT = "2026-03-01T10:00:00.000+00:00"
DEATH = {"queue": "logs.store", "reason": "delivery_limit", "count": 1}


def test_a_message_climbs_from_tier_to_tier_and_starts_again_when_it_is_replayed():
    headers: dict = {}
    tiers = []
    while (tier := next_tier(headers)) is not None:
        tiers.append(tier)
        headers = failed(headers, at=AT, reason="odd", tier=tier)

    assert tiers == ["logs.retry.5s", "logs.retry.30s", "logs.retry.5m"]
    again = replayed(failed(headers, at=AT, reason="odd", tier="logs.dlq"), at="later")
    assert next_tier(again) == "logs.retry.5s"
    assert again["x-replayed-at"] == "later"
    assert [each["tier"] for each in attempts(again)] == [*tiers, "logs.dlq", "replay"]


def test_waiting_counts_no_attempt():
    headers = parked(parked({}, at=AT), at="later")

    assert headers == {"x-first-seen": AT, "x-parked": 2}
    assert next_tier(headers) == "logs.retry.5s"


@pytest.mark.parametrize("forged", ["", "no json", "5", '["a", 5]', "[" * 5000, 7, None, b"[]"])
def test_a_forged_history_counts_as_none(forged):
    assert attempts({"x-attempts": forged}) == []
    assert next_tier({"x-attempts": forged}) == "logs.retry.5s"


def test_a_history_is_bounded_and_keeps_the_first_attempt_and_the_last_ones():
    headers: dict = {}
    for number in range(3 * MAX_ATTEMPTS):
        headers = failed(headers, at=str(number), reason="r" * 1000, tier="logs.dlq")

    kept = attempts(headers)
    assert len(kept) == MAX_ATTEMPTS
    assert (kept[0]["at"], kept[-1]["at"]) == ("0", str(3 * MAX_ATTEMPTS - 1))
    assert len(kept[0]["reason"]) == 300


def test_a_returning_message_carries_nothing_that_the_broker_takes_for_a_cycle():
    came = {
        "x-death": [DEATH, {"queue": "logs.retry.5s", "reason": "expired"}],
        "x-first-death-queue": "logs.store",
        "x-last-death-queue": "logs.store",
        "X-Request-Id": "r",
    }

    assert returning(came) == {"X-Request-Id": "r", "x-earlier-death": [DEATH]}
    assert returning(returning(came)) == returning(came)


def test_a_dead_letter_keeps_what_the_broker_wrote_but_its_counters():
    kept = failed({"x-death": [DEATH], "x-delivery-count": 3}, at=AT, reason="odd", tier="logs.dlq")

    assert kept["x-death"] == [DEATH]
    assert "x-delivery-count" not in kept


class Outbox:
    def __init__(self) -> None:
        self.sent: list = []

    def publish_many(self, messages) -> None:
        self.sent += messages


def postponed(reason: str = "", headers: dict | None = None, **properties) -> Postponed:
    return Postponed(Delivery(1, b"{}", "log.ERROR", headers or {}, properties), "id-1", "logs.retry.30s", reason)


def sent(*given: Postponed) -> list:
    outbox = Outbox()
    RabbitRetryTiers(outbox, FixedClock(datetime(2026, 3, 1, 10, tzinfo=UTC))).keep(given)
    return outbox.sent


def test_a_postponed_message_goes_to_its_tier_under_its_key_with_the_identity_of_its_attempts():
    (without, with_id) = sent(postponed("odd"), postponed("odd", message_id="m", app_id="shop"))

    assert (without.exchange, without.routing_key, without.message_id) == ("logs.retry.30s", "log.ERROR", "id-1")
    assert (with_id.message_id, with_id.properties["app_id"]) == ("m", "shop")
    assert json.loads(without.headers["x-attempts"]) == [{"at": AT, "reason": "odd", "tier": "logs.retry.30s"}]


def test_a_parked_message_tells_how_often_it_waited():
    (message,) = sent(postponed(headers={"x-parked": 3}))

    assert message.headers["x-parked"] == 4
    assert "x-attempts" not in message.headers


def test_headers_that_cannot_be_written_again_are_named_and_do_not_hold_the_message():
    (odd, large) = sent(
        postponed("odd", headers={"d": Decimal("1E+300"), "ok": 1}),
        postponed("odd", headers={f"h{number}": "x" * 20_000 for number in range(10)}),
    )

    assert odd.headers["x-dropped-headers"] == ["d"]
    assert odd.headers["ok"] == 1
    assert len(large.headers["x-dropped-headers"]) == 10
    assert "x-attempts" in large.headers
