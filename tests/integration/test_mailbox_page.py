"""The mailbox page in a real browser: live, linkable, usable by keyboard, and deaf to what mails try."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.mailbox.running import RunningMailbox, letter, running_mailbox
from tests.services import free_port

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
HOSTILE = """<!doctype html><html><head>
<meta http-equiv="refresh" content="0;url=http://127.0.0.1:OUTSIDE/refresh">
<link rel="stylesheet" href="http://127.0.0.1:OUTSIDE/a.css"></head>
<body><p id="state">untouched</p><script>document.getElementById('state').textContent = 'changed'</script>
<img src="http://127.0.0.1:OUTSIDE/pixel.gif" onerror="document.getElementById('state').textContent = 'changed'">
<iframe src="http://127.0.0.1:OUTSIDE/frame"></iframe>
<form action="http://127.0.0.1:OUTSIDE/form"><button>Send</button></form></body></html>"""


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMailbox]:
    with running_mailbox(tmp_path_factory.mktemp("page") / "mail.db") as running:
        yield running


@pytest.fixture
def page(browser: Browser, mailbox: RunningMailbox) -> Iterator[Page]:
    mailbox.call("/api/v1/messages", method="DELETE")
    context = browser.new_context(viewport=DESK, base_url=mailbox.url)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def html_letter(html: str, **fields: str) -> EmailMessage:
    mail = letter(**fields)
    mail.add_alternative(html, subtype="html")
    return mail


def test_an_empty_mailbox_says_where_to_send_to(page: Page, mailbox: RunningMailbox):
    page.goto("/")

    expect(page.locator("#empty")).to_contain_text(f"127.0.0.1:{mailbox.smtp_port}")


def test_a_mail_appears_without_reloading_and_is_counted_as_unread(page: Page, mailbox: RunningMailbox):
    page.goto("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")

    mailbox.send(letter(Subject="Grüße", From="Zoë <zoe@example.com>"))

    expect(page.locator("#mails li")).to_contain_text(["Grüße"])
    expect(page).to_have_title("(1) Mailbox")


def test_a_hostile_mail_neither_runs_nor_loads_nor_leaves(page: Page, mailbox: RunningMailbox):
    with socket.create_server(("127.0.0.1", free_port())) as outside:
        outside.settimeout(0.5)
        port = outside.getsockname()[1]
        mailbox.send(html_letter(HOSTILE.replace("OUTSIDE", str(port)), Subject="<img src=x onerror=alert(1)>"))
        page.goto("/")

        page.locator("#mails a").click()

        expect(page.frame_locator("#view iframe").locator("#state")).to_have_text("untouched")
        expect(page.locator("#notice")).to_be_visible()
        expect(page.locator("#subject")).to_have_text("<img src=x onerror=alert(1)>")
        with pytest.raises(TimeoutError):
            outside.accept()[0].close()


def test_a_link_by_message_id_waits_for_the_mail_and_opens_it(page: Page, mailbox: RunningMailbox):
    page.goto("/?message_id=%3Clate@example.com%3E")
    expect(page.locator("#toast")).to_contain_text("Waiting")

    mailbox.send(letter(Subject="Came late", Message_ID="<late@example.com>"))

    expect(page.locator("#subject")).to_have_text("Came late")
    assert "/#/message/" in page.url


def test_a_link_to_a_mail_opens_it_and_a_dead_one_says_so(page: Page, mailbox: RunningMailbox):
    mailbox.send(letter(Subject="Linked"))
    identity = mailbox.get("/api/v2/messages")["items"][0]["ID"]

    page.goto(f"/#/message/{identity}")
    expect(page.locator("#subject")).to_have_text("Linked")
    page.goto("/#/message/gone")

    expect(page.locator("#toast")).to_have_text("This mail is no longer here.")


def test_search_narrows_the_list_and_escape_brings_all_back(page: Page, mailbox: RunningMailbox):
    mailbox.send(letter(Subject="Invoice", body="due in December"), letter(Subject="Lunch"))
    page.goto("/")
    expect(page.locator("#mails li")).to_have_count(2)

    page.keyboard.press("/")
    page.keyboard.type("DECEMBER")
    expect(page.locator("#mails li")).to_contain_text(["Invoice"])
    page.keyboard.press("Escape")

    expect(page.locator("#mails li")).to_have_count(2)


def test_the_keyboard_alone_reads_through_the_mails_and_their_views(page: Page, mailbox: RunningMailbox):
    mailbox.send(
        letter(Subject="older", body="see https://example.com/x."), html_letter("<p>Page</p>", Subject="newer")
    )
    page.goto("/")
    expect(page.locator("#mails li")).to_have_count(2)

    page.keyboard.press("j")
    expect(page.locator("#subject")).to_have_text("newer")
    page.keyboard.press("j")
    expect(page.locator("#subject")).to_have_text("older")
    expect(page.locator("#view a")).to_have_attribute("href", "https://example.com/x")
    page.locator("#tab-text").focus()
    page.keyboard.press("ArrowRight")

    expect(page.locator("#tab-headers")).to_be_focused()
    expect(page.locator("#view table")).to_contain_text("Envelope to")


def test_an_attachment_is_downloaded_under_its_own_name(page: Page, mailbox: RunningMailbox):
    mail = letter(Subject="Files")
    mail.add_attachment(b"a;b\r\n", maintype="text", subtype="csv", filename="Übersicht 1.csv")
    mailbox.send(mail)
    page.goto("/")
    page.locator("#mails a").click()

    with page.expect_download() as download:
        page.locator("#files a").click()

    assert download.value.suggested_filename == "Übersicht 1.csv"


def test_deleting_one_opens_the_next_and_deleting_all_asks_first(page: Page, mailbox: RunningMailbox):
    mailbox.send(*(letter(Subject=name) for name in ("one", "two", "three")))
    page.goto("/")
    page.locator("#mails a", has_text="three").click()

    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#subject")).to_have_text("two")
    page.locator("#delete-all").click()
    page.get_by_role("button", name="Keep them").click()
    assert mailbox.get("/api/v2/messages")["total"] == 2
    page.locator("#delete-all").click()
    page.locator("#confirm").get_by_role("button", name="Delete all").click()

    expect(page.locator("#empty")).to_be_visible()
    assert mailbox.get("/api/v2/messages")["total"] == 0


def test_a_phone_shows_one_pane_at_a_time_and_nothing_sticks_out(page: Page, mailbox: RunningMailbox):
    mailbox.send(letter(Subject="A" * 300, From=f"{'B' * 80} <b@example.com>", body="C" * 400))
    page.set_viewport_size(PHONE)
    page.goto("/")
    page.locator("#mails a").click()

    expect(page.locator("#list")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("link", name="All mails", exact=True).click()

    expect(page.locator("#list")).to_be_visible()
    expect(page.locator("#reader")).to_be_hidden()
