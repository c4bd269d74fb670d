"""A client and their therapist write to each other, in a browser: on a phone, and wide (L1-L4)."""

from playwright.sync_api import expect

from intake.models import Message
from practice.models import Alert, Client, User
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import at_own_page, follow, press, reads


def test_client_writes_therapist_answers_and_both_see_who_read(
    window: Window, staff_window: Window, both: Look, maya: User, sam: Client
) -> None:
    phone = window()
    at_own_page(phone, sam)
    both(phone, "messages-01-home")
    follow(phone, "Open messages")
    reads(phone, "Messages")
    both(phone, "messages-02-empty")
    box = phone.get_by_label("Your message")
    box.fill("Can we move Thurs")
    expect(phone.get_by_text("Kept here at")).to_be_visible()
    phone.reload()
    expect(box).to_have_value("Can we move Thurs")
    box.fill("")
    press(phone, "Send to Maya")
    reads(phone, "Messages")
    assert phone.title().startswith("Error:")
    both(phone, "messages-03-error")
    box.fill("Can we move Thursday?")
    press(phone, "Send to Maya")
    expect(phone.get_by_text("Not opened yet. It is read by")).to_be_visible()
    both(phone, "messages-04-sent")

    desk = staff_window(maya)
    desk.goto("/messages/")
    both(desk, "messages-05-inbox")
    desk.get_by_role("link", name="Read and answer Sam Whitehorse").click()
    both(desk, "messages-06-thread")
    desk.get_by_label("Message to Sam").fill("Yes, Friday at nine.")
    desk.get_by_role("button", name="Send to Sam Whitehorse").click()
    desk.wait_for_load_state()
    assert desk.title().startswith("Error:")
    both(desk, "messages-07-unconfirmed")
    desk.get_by_label("This goes to Sam Whitehorse. Sam reads it.").check()
    desk.get_by_role("button", name="Send to Sam Whitehorse").click()
    expect(desk.get_by_text("Sent to Sam Whitehorse.")).to_be_visible()
    both(desk, "messages-08-answered")
    desk.goto("/messages/")
    both(desk, "messages-09-nothing-waits")
    desk.goto(f"/clients/{sam.pk}/")
    both(desk, "messages-10-chart")

    phone.goto("/my/home/")
    follow(phone, "Read it")
    expect(phone.get_by_text("Yes, Friday at nine.")).to_be_visible()
    expect(phone.get_by_text("Maya opened it on")).to_be_visible()
    both(phone, "messages-11-answered")
    assert Message.objects.count() == 2


def test_client_who_needs_help_now_sees_988_first(
    window: Window, both: Look, maya: User, sam: Client, on_call: User
) -> None:
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Open messages")
    phone.get_by_label("Your message").fill("I cannot do this")
    press(phone, "Send it: I need help now")
    reads(phone, "Please talk to someone now")
    expect(phone.get_by_role("link", name="Call 988").first).to_be_visible()
    both(phone, "messages-12-help")
    assert Alert.objects.get().severity == "urgent"
