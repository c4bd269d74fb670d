"""What opens without an account, and the pages where staff hand it out: the calendar's address."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from practice.models import User
from tests.journeys.conftest import PHONE
from tests.journeys.walking import follow, press

Look = Callable[[Page, str], None]


def test_staff_make_their_calendar_address_and_see_it_once(
    staff_window: Callable[..., Page], look: Look, maya: User
) -> None:
    desk = staff_window(maya)
    desk.goto("/account/")
    look(desk, "feed-01-account")
    follow(desk, "Set up your calendar")
    press(desk, "Make the address")
    expect(desk.get_by_label("Copy it now. It is shown this once.")).to_be_visible()
    look(desk, "feed-02-shown")
    desk.set_viewport_size(PHONE)  # type: ignore[arg-type]
    look(desk, "feed-02-shown")
    desk.reload()
    expect(desk.get_by_text("It is shown this once.")).to_have_count(0)
    press(desk, "Stop the calendar")
    expect(desk.get_by_text("Stopped. The address does not work any more.")).to_be_visible()
