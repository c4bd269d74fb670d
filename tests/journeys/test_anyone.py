"""What anyone may open, signed out, in a real browser (browser checks 1, 2, 20, 40)."""

import pytest
from django.db import connections

from tests.journeys.conftest import DESK, PHONE, Look, Window, sideways, wide

PUBLIC = ("/", "/help-now/", "/who-sees-this/", "/accessibility/", "/no-such-page/")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1440"])
def test_public_pages_are_accessible(window: Window, look: Look, size: dict[str, int], dark: bool) -> None:
    page = window(size, dark=dark)
    for path in PUBLIC:
        page.goto(path)
        look(page, f"public{path.replace('/', '-')}{'dark' if dark else 'light'}")


def test_help_now_shows_every_number_without_script_and_without_database(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = window(script=False)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the help page asked the database")

    monkeypatch.setattr(type(connections["default"]), "cursor", refuse)
    page.goto("/help-now/")
    shown = page.inner_text("main")
    monkeypatch.undo()
    assert [n for n in ("988", "911", "838255", "741741") if n not in shown] == []
    assert "press 3" not in shown.lower()
    assert page.get_attribute("a.call-1", "href") == "tel:988"


def test_help_control_is_reached_third_by_tab_and_stays_in_sight(window: Window) -> None:
    page = window()
    page.goto("/who-sees-this/")
    stops = []
    for _ in range(3):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.className.split(' ')[0]"))
    assert stops == ["skip", "c-brand", "help-btn"]
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    box = page.locator(".help-btn").bounding_box()
    assert box is not None and 0 <= box["y"] < 100


def test_page_reflows_at_320_and_double_text(window: Window) -> None:
    page = window({"width": 320, "height": 700})
    page.goto("/help-now/")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert wide(page) == []
    assert sideways(page) == 0
