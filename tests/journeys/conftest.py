"""A real Chromium on the real pages: a live server, phone and desk sized windows, axe, and a jumpable clock."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.test import Client as Browser
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

from practice.models import Practice, User
from tests import factories
from tests.conftest import sign_in
from tests.system.conftest import Postbox
from tests.system.house import free_port

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
Window = Callable[..., Page]
Look = Callable[[Page, str], None]
CHROMIUM = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
LEAVING = "navigation.onnavigate = e => { window.leaving = !e.destination.sameDocument && e.downloadRequest === null }"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "journeys" in item.path.parts:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="session", autouse=True)
def _sync_pages_beside_the_driver() -> None:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the driver runs a loop in this thread; the server has its own


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def up(live_server: Any, settings: Any, house: Practice) -> str:
    """The address of the running product; links in messages point to it."""
    settings.ORIGIN = live_server.url
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
    return str(live_server.url)


@pytest.fixture
def window(chromium: Chromium, up: str) -> Iterator[Window]:
    """Open a window: window(), window(DESK), window(dark=True), window(script=False). Origins and CSP are watched."""
    contexts: list[BrowserContext] = []

    def open_window(size: dict[str, int] = PHONE, *, dark: bool = False, script: bool = True) -> Page:
        context = chromium.new_context(
            viewport=size, color_scheme="dark" if dark else "light", java_script_enabled=script, base_url=up,
            has_touch=size["width"] < 600, locale="en-US", timezone_id="America/New_York",
        )  # fmt: skip
        contexts.append(context)
        context.add_init_script(LEAVING)
        page = context.new_page()
        page.set_default_timeout(10_000)
        trouble: list[str] = []
        page.trouble = trouble  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: trouble.append(f"script: {error}"))
        page.on("console", lambda m: trouble.append(m.text) if "Content Security Policy" in m.text else None)
        page.on("dialog", lambda d: (trouble.append(f"dialog: {d.message}"), d.dismiss()))
        page.on("request", lambda r: None if _is_ours(r, up) else trouble.append(f"foreign: {r.url}"))
        return page

    yield open_window
    for context in contexts:
        for page in context.pages:
            assert getattr(page, "trouble", []) == []
        context.close()


def _is_ours(request: Request, up: str) -> bool:
    """Everything a page loads comes from one origin; only a person's own step leads elsewhere."""
    return request.url.startswith((up, "data:", "blob:")) or request.is_navigation_request()


@pytest.fixture
def staff_window(window: Window, up: str) -> Window:
    """A window in which this member of staff is signed in past the second factor."""

    def open_for(user: User, size: dict[str, int] = DESK, **options: Any) -> Page:
        page = window(size, **options)
        browser = sign_in(Browser(), user)
        page.context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": browser.cookies[settings.SESSION_COOKIE_NAME].value,
                    "url": up,
                }
            ]
        )
        return page

    return open_for


def settle(page: Page) -> None:
    """Wait for the page that a press leads to: the press itself is over before the page gives way to the next."""
    page.wait_for_function("() => !window.leaving")
    page.wait_for_load_state()


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it is now, as lines a person can act on."""
    settle(page)
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", AXE_RULES)
    return [f"{v['id']}: {json.dumps([n['target'] for n in v['nodes']][:3])}" for v in found["violations"]]


def sideways(page: Page) -> int:
    """How many pixels the page scrolls sideways (0 is right)."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def wide(page: Page) -> Any:
    """What stands out of the page at its right edge, or has text cut."""
    return page.evaluate(
        "[...document.querySelectorAll('main *:not(.vh)')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        " || (getComputedStyle(e).overflowX === 'hidden' && e.scrollWidth > e.clientWidth + 1))"
        ".map(e => e.tagName + '.' + e.className).slice(0, 8)"
    )


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page when SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        size = page.viewport_size or PHONE
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}-{size['width']}.png", full_page=True)


@pytest.fixture
def look() -> Look:
    """Check the page as it stands: no axe violation, no sideways scroll; keep a picture when SHOTS names a folder."""

    def check(page: Page, name: str) -> None:
        settle(page)
        keep_picture(page, name)
        assert violations(page) == []
        assert sideways(page) == 0

    return check


@pytest.fixture
def both(look: Look) -> Look:
    """Look at the page in both widths, and leave it in its own."""

    def check(page: Page, name: str) -> None:
        own = page.viewport_size
        for size in (PHONE, DESK):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            look(page, name)
        page.set_viewport_size(own)  # type: ignore[arg-type]

    return check


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    """A mail server that keeps what the product sends."""
    box, port = Postbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
    yield box
    controller.stop()


__all__ = ["DESK", "PHONE", "factories", "sideways", "violations"]
