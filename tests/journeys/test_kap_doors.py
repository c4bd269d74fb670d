"""What opens without an account, and the pages where staff hand it out: a calendar's address, a prescriber's link."""

from playwright.sync_api import expect

from practice.kap.models import ClearanceRequest, DoseClearance
from practice.models import Client, Notice, User
from tests.journeys.conftest import DESK, PHONE, Look, Window
from tests.journeys.walking import follow, press


def test_staff_make_their_calendar_address_and_see_it_once(staff_window: Window, look: Look, maya: User) -> None:
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


def test_prescriber_without_an_account_clears_doses_by_a_link(
    staff_window: Window, window: Window, look: Look, maya: User, sam: Client
) -> None:
    desk = staff_window(maya)
    desk.goto("/prescribers/")
    desk.get_by_label("Name").fill("Dr Grey")
    desk.get_by_label("E-mail").fill("grey@rx.example")
    press(desk, "Save")
    look(desk, "rx-01-list")
    desk.goto(f"/clients/{sam.pk}/clearance/")
    look(desk, "rx-02-clearance")
    follow(desk, "Ask a prescriber outside")
    desk.get_by_label("Prescriber", exact=True).select_option(label="Dr Grey")
    desk.get_by_label("Your words to the prescriber").fill("Two doses first? Pressure was fine.")
    press(desk, "Ask this prescriber")
    look(desk, "rx-03-asked")
    desk.set_viewport_size(PHONE)  # type: ignore[arg-type]
    look(desk, "rx-03-asked")

    there = window(DESK)
    there.goto(f"/x/{ClearanceRequest.objects.get().token}/")
    look(there, "rx-04-open")
    press(there, "Send me a code")
    look(there, "rx-05-code")
    there.get_by_label("Code").fill(str(Notice.objects.get(template="prescriber_code").words["code"]))
    press(there, "Open the question")
    look(there, "rx-06-question")
    there.set_viewport_size(PHONE)  # type: ignore[arg-type]
    look(there, "rx-06-question")
    there.get_by_label("How many doses").fill("2")
    there.get_by_label("Until").fill("2027-06-01")
    there.get_by_label("Largest single dose").fill("137")
    there.get_by_label("Route").select_option("sublingual")
    press(there, "Clear these doses")
    expect(there.get_by_text("Thank you. The practice was told.")).to_be_visible()
    look(there, "rx-07-answered")
    assert DoseClearance.objects.get().by_request == ClearanceRequest.objects.get()
