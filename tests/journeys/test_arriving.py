"""Somebody begins by themselves; the front desk chooses a therapist; forms are filled in at the practice (A2, A11)."""

import pytest
from playwright.sync_api import Page, expect

from intake.models import Answer, Arrival, Intake
from practice.models import Client, PublicPages, Site, User
from tests.homes import newest_code
from tests.journeys.conftest import PHONE, Look, Window, sideways, violations, wide
from tests.journeys.walking import follow, press


def begin(page: Page, name: str, email: str) -> None:
    page.get_by_label("Your name").fill(name)
    for label, value in (("Month", "3"), ("Day", "8"), ("Year", "1991")):
        page.get_by_label(label).fill(value)
    page.get_by_label("E-mail", exact=True).check()
    page.get_by_label("Your e-mail").fill(email)
    page.get_by_label("Yes, nobody else reads it").check()


@pytest.mark.usefixtures("on_call")
def test_stranger_begins_and_gets_a_therapist(
    window: Window, staff_window: Window, both: Look, fay: User, maya: User, sam: Client, north: Site
) -> None:
    PublicPages.objects.create(pk=1, starts_open=True, starts_site=north)
    page = window(PHONE)
    page.goto("/options/")
    follow(page, "Begin by yourself")
    press(page, "Send me a code")
    expect(page.get_by_role("alert")).to_contain_text("Write a name we can use.")
    both(page, "arriving-00-error")
    begin(page, "Sam Whitehorse", sam.email)
    both(page, "arriving-01-form")
    press(page, "Send me a code")
    expect(page.get_by_role("heading", name="Type the code we sent you")).to_be_visible()
    both(page, "arriving-02-code")
    code = newest_code("code")
    page.get_by_label("Your code").fill("000000" if code != "000000" else "111111")
    press(page, "Open the forms")
    both(page, "arriving-03-wrong")
    page.get_by_label("Your code").fill(code)
    press(page, "Open the forms")
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
    both(page, "arriving-04-start")
    desk = staff_window(fay)
    desk.goto("/enquiries/")
    both(desk, "arriving-05-enquiries")
    follow(desk, "1 new person began alone")
    both(desk, "arriving-06-queue")
    follow(desk, "Sam Whitehorse")
    expect(desk.get_by_text("May be the same person as")).to_be_visible()
    both(desk, "arriving-07-person")
    desk.get_by_label("Therapist", exact=True).select_option(str(maya.pk))
    press(desk, "Give them to this therapist")
    expect(desk.get_by_text("Sam Whitehorse is with Maya Torres now.")).to_be_visible()
    both(desk, "arriving-08-none")
    assert Client.objects.get(arrivals__isnull=False).therapist == maya


@pytest.mark.usefixtures("on_call")
def test_beginning_needs_no_script_and_fits_the_narrowest_phone(window: Window, north: Site) -> None:
    PublicPages.objects.create(pk=1, starts_open=True, starts_site=north)
    page = window({"width": 320, "height": 640}, script=False)
    page.goto("/begin/")
    begin(page, "Noor Vale", "noor@example.net")
    press(page, "Send me a code")
    page.get_by_label("Your code").fill(newest_code("code"))
    press(page, "Open the forms")
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
    assert Arrival.objects.get().client is not None
    page = window({"width": 320, "height": 640})
    for path in ("/begin/", "/kiosk/"):
        page.goto(path)
        assert (wide(page), sideways(page), violations(page)) == ([], 0, [])
    press(page, "Español")
    for path in ("/kiosk/", "/begin/"):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("lang", "es")
        assert (wide(page), sideways(page), violations(page)) == ([], 0, [])


def shows_nothing(page: Page) -> None:
    for word in ("Whitehorse", "Sam", "CH-0401", "names we call", "Torres"):
        expect(page.locator("body")).not_to_contain_text(word)


@pytest.mark.usefixtures("on_call")
def test_device_is_handed_over_and_shows_nothing_afterwards(
    window: Window, staff_window: Window, both: Look, maya: User, sam: Client
) -> None:
    """Feature A11: no back button leads to the chart, nor afterwards to the answers."""
    page = staff_window(maya)
    page.goto(f"/clients/{sam.pk}/invite/")
    both(page, "handing-00-invite")
    press(page, "Hand this device over")
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Whitehorse")
    page.goto("/my/")
    press(page, "Start")
    press(page, "I have written it down")
    page.goto("/my/q/names/")
    page.get_by_label("Name you go by").fill("Sam")
    page.get_by_label("Legal name").fill("Samuel Whitehorse")
    press(page, "Continue")
    follow(page, "Stop and finish later")
    press(page, "Stop and lock this page")
    expect(page.get_by_text("nothing of them is on this device")).to_be_visible()
    both(page, "handing-01-ended")
    for _ in range(6):
        page.go_back()
        page.wait_for_load_state()
        shows_nothing(page)
    assert Answer.objects.filter(question="names").exists()


@pytest.mark.usefixtures("on_call")
def test_code_opens_a_practice_device(
    window: Window, staff_window: Window, both: Look, maya: User, sam: Client
) -> None:
    desk = staff_window(maya)
    desk.goto(f"/clients/{sam.pk}/invite/")
    press(desk, "Make a code for another device")
    both(desk, "handing-02-code")
    said = desk.get_by_text("The code for Sam Whitehorse is").inner_text()
    code = said.partition(" is ")[2][:7]
    tablet = window(PHONE)
    tablet.goto("/kiosk/")
    both(tablet, "handing-03-kiosk")
    tablet.get_by_label("Your code").fill("222-222")
    press(tablet, "Open the forms")
    both(tablet, "handing-04-wrong")
    tablet.get_by_label("Your code").fill(code)
    press(tablet, "Open the forms")
    expect(tablet.get_by_role("heading", name="Before you start")).to_be_visible()


@pytest.mark.usefixtures("on_call")
def test_therapist_enters_what_the_client_says_by_phone(
    staff_window: Window, both: Look, maya: User, sam: Client
) -> None:
    page = staff_window(maya)
    page.goto(f"/clients/{sam.pk}/invite/")
    page.get_by_label("By phone").check()
    here = page.locator("section", has=page.get_by_role("heading", name="Fill in here"))
    here.get_by_label("Check-in").first.check()
    press(page, "Enter what they say")
    both(page, "behalf-00-first")
    sitting = Intake.objects.get()
    page.goto(f"/clients/{sam.pk}/fill-in/{sitting.pk}/phq-9--9/")
    page.get_by_label("More than half the days").check()
    press(page, "Keep what they said")
    expect(page.get_by_text("A safety flag of this form is open.")).to_be_visible()
    both(page, "behalf-01-flag")
    page.goto(f"/clients/{sam.pk}/fill-in/{sitting.pk}/")
    expect(page.get_by_text("Said by phone, entered by Maya Torres")).to_be_visible()
    both(page, "behalf-02-check")
    page.goto(f"/clients/{sam.pk}/intakes/{sitting.pk}/")
    both(page, "behalf-03-read")
