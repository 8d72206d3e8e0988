"""The console against the whole system: what the buttons send is looked up in the stores themselves."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.waiting import eventually

BUTTONS = ("brokerBtn", "authBrokerBtn", "logBtn", "logRBtn", "logGBtn", "mailBtn")


@pytest.fixture
def console(system, page, watch) -> Page:
    """The page, open, with the broker's health shown."""
    page.goto(system.env["FRONTEND_URL"])
    expect(page.locator("#health")).to_have_attribute("data-state", "ready")
    return page


def fill(page: Page, form: str, **fields: str) -> None:
    """A group may be opened twice: a click on an open one would close it."""
    details = page.locator("details", has=page.locator(f"#{form}"))
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    for name, value in fields.items():
        details.locator(f"[name={name}]").fill(value)


def press(page: Page, button: str) -> None:
    page.locator(f"#{button}").click()
    expect(page.locator(f"#{button}")).to_have_attribute("data-state", "success")


def test_six_presses_are_six_successes_and_leave_their_traces(system, console, log_documents):
    text = f"pressed by test {uuid.uuid4()}"
    fill(console, "logForm", data=text)
    fill(console, "mailForm", subject=text)

    for button in BUTTONS:
        press(console, button)

    assert console.locator(".action[data-state=success]").count() == len(BUTTONS)
    assert sorted(found["protocol"] for found in log_documents.find({"data": text})) == ["amqp", "grpc", "rpc"]
    link = console.locator("#mailLink").get_attribute("href")
    message_id = parse_qs(urlsplit(link).query)["message_id"][0]
    mail = requests.get(f"{system.env['MAILBOX_URL']}/api/v2/wait", params={"message_id": message_id}, timeout=15)
    assert mail.status_code == 200
    assert text in mail.text


def test_the_record_shown_is_the_one_in_the_store(console, log_documents):
    text = f"shown by test {uuid.uuid4()}"
    fill(console, "logForm", data=text)
    console.get_by_label("HTTP", exact=True).check()

    press(console, "logBtn")

    stored = log_documents.find_one({"data": text})
    assert stored["protocol"] == "http"
    expect(console.locator("#proof")).to_contain_text("In MongoDB after")
    expect(console.locator("#proof .record")).to_contain_text(text)


def test_a_login_from_the_console_shows_the_user_and_is_recorded(console, log_documents):
    before = log_documents.count_documents({"data": "admin@example.com logged in"})

    press(console, "authBrokerBtn")

    expect(console.locator("#proof")).to_contain_text("Admin User")
    eventually(lambda: log_documents.count_documents({"data": "admin@example.com logged in"}) > before)


def test_a_wrong_password_is_refused_in_plain_words(console):
    fill(console, "authForm", password="wrong")

    console.locator("#authBrokerBtn").click()

    expect(console.locator("#authBrokerBtn")).to_have_attribute("data-state", "failure")
    expect(console.locator("#outcome")).to_contain_text("401")
    expect(console.locator("#outcome")).to_contain_text("invalid credentials")


def test_the_link_to_the_mail_opens_it_in_the_mailbox(console, page):
    subject = f"opened by test {uuid.uuid4()}"
    fill(console, "mailForm", subject=subject)
    press(console, "mailBtn")

    with page.context.expect_page() as opened:
        console.locator("#mailLink").click()

    expect(opened.value.locator("#subject")).to_have_text(subject)


def test_the_page_talks_to_itself_and_the_broker_and_makes_no_error(system, console, watch):
    for button in BUTTONS:
        press(console, button)

    own, broker = (urlsplit(system.env[name]).netloc for name in ("FRONTEND_URL", "BROKER_URL"))
    assert {urlsplit(url).netloc for url in watch.requests} == {own, broker}
    # Looking for a queued event before it arrived is how the page waits; the browser logs that 404.
    assert [error for error in watch.errors if "/api/v1/logs/" not in error[1]] == []


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_sticks_out_on_a_narrow_screen(console, width):
    console.set_viewport_size({"width": width, "height": 844})

    for button in BUTTONS:
        press(console, button)
        assert console.evaluate("document.documentElement.scrollWidth") <= width
