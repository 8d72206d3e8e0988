"""A headless browser. It lives for one module only, since Playwright keeps an event loop running in the thread meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
)
DESK = {"width": 1280, "height": 900}


@dataclass
class Watch:
    """What a page said and asked for, from its first moment. An error is (text, address it is about).

    Without slots: Playwright leaves a mark on the object whose method it calls.
    """

    errors: list[tuple[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append((message.text, message.location["url"]))

    def on_request(self, request: Request) -> None:
        self.requests.append(request.url)


def _chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not os.access(found, os.X_OK):
        pytest.fail(f"no browser at {found}: install chromium, or name one in the variable CHROMIUM", pytrace=False)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = _chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def watch(page: Page) -> Watch:
    watch = Watch()
    page.on("console", watch.on_console)
    page.on("pageerror", lambda error: watch.errors.append((str(error), page.url)))
    page.on("request", watch.on_request)
    return watch
