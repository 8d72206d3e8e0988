"""The console in front of a broker that misbehaves on demand: what a person sees when things go wrong."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from werkzeug.serving import make_server

from frontend.app import create_app
from frontend.settings import FrontendSettings

BROKER = "http://broker.test:8080"
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "X-Request-Id, X-Trace-Id"}
READY = {"status": "ready", "degraded": False, "checks": {"auth": {"status": "up", "latency_ms": 1.5}}}
Handler = Callable[[Route], None]


def answer(body: object, status: int = 202) -> Handler:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = CORS | {"Content-Type": "application/json", "X-Request-Id": "req-1", "X-Trace-Id": "t" * 32}
    return lambda route: route.fulfill(status=status, headers=headers, body=text)


def accepted(message: str, **data: object) -> Handler:
    return answer({"error": False, "message": message, "data": data})


def refused(status: int, message: str, **more: object) -> Handler:
    return answer({"error": True, "message": message, **more}, status)


def away(route: Route) -> None:
    route.abort("connectionrefused")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = create_app(FrontendSettings(broker_url=BROKER, mailbox_url="http://mailbox.test:8025"))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


class FakeBroker:
    def __init__(self, page: Page) -> None:
        self._page = page
        self.sent: list[str | None] = []

    def on(self, path: str, handler: Handler) -> None:
        """From now on `path`, a glob, is answered by `handler`."""

        def remember(route: Route) -> None:
            self.sent.append(route.request.post_data)
            handler(route)

        self._page.route(f"{BROKER}{path}", remember)


@pytest.fixture
def broker(page) -> FakeBroker:
    broker = FakeBroker(page)
    broker.on("/readyz", answer(READY, 200))
    broker.on("/", answer({"error": False, "message": "Hit the broker"}, 200))
    return broker


@pytest.fixture
def console(page, broker, watch, url) -> Page:
    page.goto(url)
    return page


def press(page: Page, button: str, *, state: str) -> None:
    page.locator(f"#{button}").click()
    expect(page.locator(f"#{button}")).to_have_attribute("data-state", state)


def look_again(page: Page) -> None:
    """What coming back to the tab does: the health is asked at once, not after five seconds."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def station(page: Page, name: str):
    return page.locator("#journey li", has=page.locator(".station-name", has_text=name))


def test_before_the_first_press_the_page_says_what_it_is_for(console):
    expect(console.locator("#output")).to_contain_text("Nothing pressed yet")
    expect(console.locator("#copyCurl")).to_be_disabled()


def test_a_press_shows_status_duration_request_id_and_both_messages(console):
    press(console, "brokerBtn", state="success")

    expect(console.locator("#outcome")).to_contain_text("Hit the broker")
    expect(console.locator("#outcome")).to_contain_text("req-1")
    expect(console.locator("#outcome .facts dd").first).to_contain_text("ms")
    expect(console.locator("#payload")).to_contain_text("POST /")
    expect(console.locator("#received")).to_contain_text("x-request-id: req-1")
    expect(console.locator("#announcement")).to_contain_text("Test Broker. 200 Ok. Hit the broker")


def test_a_refused_login_shows_the_message_and_where_the_way_ended(console, broker):
    broker.on("/handle", refused(401, "invalid credentials"))

    press(console, "authBrokerBtn", state="failure")

    expect(console.locator(".message")).to_have_text("invalid credentials")
    expect(station(console, "Broker")).to_have_attribute("data-state", "done")
    expect(station(console, "Auth")).to_have_attribute("data-state", "failed")
    expect(station(console, "PostgreSQL")).to_have_attribute("data-state", "idle")


def test_every_broken_rule_is_listed(console, broker):
    errors = [{"pointer": "#/mail/to", "detail": "must be one address"}, {"pointer": "#/mail/from", "detail": "bad"}]
    broker.on("/handle", refused(422, "mail.to: must be one address", errors=errors))

    press(console, "mailBtn", state="failure")

    expect(console.locator(".problems li")).to_have_text(["#/mail/to must be one address", "#/mail/from bad"])
    expect(station(console, "Broker")).to_have_attribute("data-state", "failed")


def test_an_answer_that_is_not_json_is_shown_as_it_came(console, broker):
    broker.on("/handle", answer("<h1>Bad Gateway</h1>", 502))

    press(console, "mailBtn", state="failure")

    expect(console.locator("#received")).to_contain_text("<h1>Bad Gateway</h1>")


def test_a_hostile_answer_stays_text(console, broker, watch):
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    broker.on("/handle", accepted(hostile, id=hostile, first_name=hostile, email=hostile))

    press(console, "authBrokerBtn", state="success")

    expect(console.locator(".message")).to_have_text(hostile)
    assert console.locator("#output img, #received img, #received script").count() == 0
    assert watch.errors == []


def test_a_broker_that_is_away_is_said_so_and_noticed_when_it_is_back(console, broker, watch):
    broker.on("/**", away)
    press(console, "logGBtn", state="failure")
    expect(console.locator(".message")).to_contain_text(f"No answer from {BROKER}")
    look_again(console)
    expect(console.locator("#healthWord")).to_have_text("Broker unreachable")

    broker.on("/readyz", answer(READY, 200))
    look_again(console)

    expect(console.locator("#healthWord")).to_have_text("Broker ready")
    assert {text for text, _ in watch.errors} == {"Failed to load resource: net::ERR_CONNECTION_REFUSED"}


@pytest.mark.parametrize(
    ("status", "state", "word"),
    [(200, "degraded", "Broker degraded: mailer down"), (503, "unready", "Broker not ready: mailer down")],
)
def test_a_dependency_that_is_down_is_named(console, broker, status, state, word):
    checks = {"auth": {"status": "up", "latency_ms": 1.5}, "mailer": {"status": "down", "error": "timeout"}}
    broker.on("/readyz", answer({"status": "ready", "degraded": True, "checks": checks}, status))

    console.reload()

    expect(console.locator("#health")).to_have_attribute("data-state", state)
    expect(console.locator("#healthWord")).to_have_text(word)
    expect(console.locator(".check[data-state=down]")).to_have_text("mailerdown")


def test_a_queued_event_counts_as_arrived_only_when_it_is_in_the_store(console, broker):
    looks = iter([refused(404, "no such entry"), refused(404, "no such entry"), answer({"id": "r1", "name": "event"})])
    broker.on("/handle", accepted("published", id="r1", stored="queued"))

    def look(route: Route) -> None:
        next(looks)(route)

    broker.on("/api/v1/logs/r1", look)

    press(console, "logRBtn", state="success")

    expect(console.locator("#proof")).to_contain_text("In MongoDB after")
    expect(console.locator("#proof .record")).to_contain_text('"name": "event"')
    assert next(looks, None) is None


def test_a_queued_event_that_does_not_arrive_is_pending_not_lost(console, broker):
    broker.on("/handle", accepted("published", id="r2", stored="queued"))
    broker.on("/api/v1/logs/**", refused(404, "no such entry"))

    press(console, "logRBtn", state="checking")

    expect(console.locator("#logRBtn")).to_have_attribute("data-state", "pending", timeout=12_000)
    expect(console.locator("#proof")).to_contain_text("Queued events are kept")
    expect(station(console, "RabbitMQ")).to_have_attribute("data-state", "done")
    expect(station(console, "Worker")).to_have_attribute("data-state", "waiting")


def test_a_log_that_had_to_take_the_long_way_is_shown_so(console, broker):
    broker.on("/handle", accepted("queued", id="r3", stored="queued"))
    broker.on("/api/v1/logs/r3", answer({"id": "r3"}, 200))

    press(console, "logBtn", state="success")

    expect(station(console, "RabbitMQ")).to_be_visible()


@pytest.mark.parametrize(
    ("stored", "via", "words", "last"),
    [
        ("mongodb", "rpc", "in MongoDB", "Logger"),
        ("queued", "amqp", "queued in RabbitMQ", "RabbitMQ"),
        ("spooled", "spool", "spooled at the broker", "Spool"),
    ],
)
def test_where_an_entry_is_stands_beside_the_answer(console, broker, stored, via, words, last):
    broker.on("/handle", accepted("taken", id="r4", stored=stored, via=via))
    broker.on("/api/v1/logs/**", refused(404, "no such entry"))

    press(console, "logBtn", state="checking")

    expect(console.locator("#outcome .facts")).to_contain_text(f"Entry{words}")
    expect(station(console, last)).to_have_attribute("data-state", "done")
    expect(station(console, "MongoDB")).to_have_attribute("data-state", "waiting")


def test_a_spooled_entry_that_does_not_arrive_is_pending_not_lost(console, broker):
    broker.on("/handle", accepted("spooled", id="r5", stored="spooled", via="spool"))
    broker.on("/api/v1/logs/**", refused(404, "no such entry"))

    press(console, "logBtn", state="checking")

    expect(console.locator("#logBtn")).to_have_attribute("data-state", "pending", timeout=12_000)
    expect(console.locator("#proof")).to_contain_text("on its own disk")


def test_the_fields_are_what_is_sent_and_enter_presses_the_button(console, broker):
    broker.on("/handle", refused(401, "invalid credentials"))
    console.get_by_text("Login", exact=True).click()
    console.get_by_label("E-mail").fill("eve@example.com")
    console.get_by_label("Password").fill('o\'h "dear"')

    console.get_by_label("Password").press("Enter")

    expect(console.locator("#authBrokerBtn")).to_have_attribute("data-state", "failure")
    assert json.loads(broker.sent[-1]) == {
        "action": "auth",
        "auth": {"email": "eve@example.com", "password": 'o\'h "dear"'},
    }


@pytest.mark.parametrize(("choice", "via"), [("JSON-RPC", None), ("HTTP", "http")])
def test_the_protocol_of_test_log_can_be_chosen(console, broker, choice, via):
    broker.on("/handle", refused(503, "logger cannot be reached"))
    console.locator("summary", has_text="event:").click()

    console.get_by_label(choice, exact=True).check()
    press(console, "logBtn", state="failure")

    assert json.loads(broker.sent[-1])["log"].get("via") == via
    expect(console.locator("#logBtnWay")).to_contain_text(choice)


def test_the_copied_command_sends_the_same_request(console, broker):
    broker.on("/log-grpc", refused(503, "logger cannot be reached"))
    console.locator("summary", has_text="event:").click()
    console.get_by_label("Data").fill("it's $HOME & \\n")
    press(console, "logGBtn", state="failure")

    console.locator("#copyCurl").click()

    expect(console.locator("#copyCurl")).to_contain_text("Copied")
    words = shlex.split(console.evaluate("navigator.clipboard.readText()"))
    assert words[:5] == ["curl", "-i", "-X", "POST", f"{BROKER}/log-grpc"]
    assert json.loads(words[-1]) == {"name": "event", "data": "it's $HOME & \\n"}


def test_the_history_keeps_the_last_fifty_newest_first_and_shows_any_again(console, broker):
    broker.on("/handle", refused(401, "invalid credentials"))
    press(console, "authBrokerBtn", state="failure")
    for _ in range(49):
        press(console, "brokerBtn", state="success")
    expect(console.locator("#history li")).to_have_count(50)

    console.locator("#history button").last.click()
    expect(console.locator("#received")).to_contain_text("invalid credentials")
    press(console, "brokerBtn", state="success")

    expect(console.locator("#history li")).to_have_count(50)
    expect(console.locator("#history")).not_to_contain_text("Test Auth")
    expect(console.locator("#history button").first).to_have_attribute("aria-current", "true")


def test_the_keyboard_alone_reaches_and_presses_every_button(console, broker):
    broker.on("/**", refused(503, "down"))
    console.get_by_role("link", name="RabbitMQ").focus()

    for name in ("Broker", "Auth", "Log", "Log via RabbitMQ", "Log via gRPC", "Mail"):
        console.keyboard.press("Tab")
        expect(console.get_by_role("button", name=f"Test {name}", exact=True)).to_be_focused()
        assert console.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        console.keyboard.press("Enter")

    expect(console.locator(".action[data-state=failure]")).to_have_count(6)


def test_long_words_wrap_instead_of_widening_a_phone(console, broker):
    console.set_viewport_size({"width": 390, "height": 844})
    broker.on("/handle", accepted("m" * 400, id="i" * 400, message_id=f"<{'x' * 300}@localhost>"))

    press(console, "mailBtn", state="success")

    assert console.evaluate("document.documentElement.scrollWidth") == 390
