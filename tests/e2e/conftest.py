"""A page of its own for each test of the console, and what it said and asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

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
