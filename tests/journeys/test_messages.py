"""A client and their therapist write to each other, in a browser: on a phone, and wide (L1-L4)."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from intake.models import Message
from practice.models import Alert, Client, User
from tests.journeys.conftest import DESK, PHONE
from tests.journeys.walking import at_own_page, follow, press, reads

Window = Callable[..., Page]
Look = Callable[[Page, str], None]


def each(page: Page, name: str, look: Look) -> None:
    """Look at the page as it stands, narrow and wide."""
    before = page.viewport_size
    for size in (PHONE, DESK):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        look(page, name)
    page.set_viewport_size(before)  # type: ignore[arg-type]


def test_client_writes_therapist_answers_and_both_see_who_read(
    window: Window, staff_window: Window, look: Look, maya: User, sam: Client
) -> None:
    phone = window()
    at_own_page(phone, sam)
    each(phone, "messages-01-home", look)
    follow(phone, "Open messages")
    reads(phone, "Messages")
    each(phone, "messages-02-empty", look)
    box = phone.get_by_label("Your message")
    box.fill("Can we move Thurs")
    expect(phone.get_by_text("Kept here at")).to_be_visible()
    phone.reload()
    expect(box).to_have_value("Can we move Thurs")
    box.fill("")
    press(phone, "Send to Maya")
    reads(phone, "Messages")
    assert phone.title().startswith("Error:")
    each(phone, "messages-03-error", look)
    box.fill("Can we move Thursday?")
    press(phone, "Send to Maya")
    expect(phone.get_by_text("Not opened yet. It is read by")).to_be_visible()
    each(phone, "messages-04-sent", look)

    desk = staff_window(maya)
    desk.goto("/messages/")
    each(desk, "messages-05-inbox", look)
    desk.get_by_role("link", name="Read and answer Sam Whitehorse").click()
    each(desk, "messages-06-thread", look)
    desk.get_by_label("Message to Sam").fill("Yes, Friday at nine.")
    desk.get_by_role("button", name="Send to Sam Whitehorse").click()
    desk.wait_for_load_state()
    assert desk.title().startswith("Error:")
    each(desk, "messages-07-unconfirmed", look)
    desk.get_by_label("This goes to Sam Whitehorse. Sam reads it.").check()
    desk.get_by_role("button", name="Send to Sam Whitehorse").click()
    expect(desk.get_by_text("Sent to Sam Whitehorse.")).to_be_visible()
    each(desk, "messages-08-answered", look)
    desk.goto("/messages/")
    each(desk, "messages-09-nothing-waits", look)
    desk.goto(f"/clients/{sam.pk}/")
    each(desk, "messages-10-chart", look)

    phone.goto("/my/home/")
    follow(phone, "Read it")
    expect(phone.get_by_text("Yes, Friday at nine.")).to_be_visible()
    expect(phone.get_by_text("Maya opened it on")).to_be_visible()
    each(phone, "messages-11-answered", look)
    assert Message.objects.count() == 2


def test_client_who_needs_help_now_sees_988_first(
    window: Window, look: Look, maya: User, sam: Client, on_call: User
) -> None:
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Open messages")
    phone.get_by_label("Your message").fill("I cannot do this")
    press(phone, "Send it: I need help now")
    reads(phone, "Please talk to someone now")
    expect(phone.get_by_role("link", name="Call 988").first).to_be_visible()
    each(phone, "messages-12-help", look)
    assert Alert.objects.get().severity == "urgent"
