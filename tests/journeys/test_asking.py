"""Somebody reads about the ways of care, asks to be contacted, and becomes a client; the same person asks again."""

import pytest
from playwright.sync_api import Page, expect

from practice.models import Client, Enquiry, PublicPages, Site, User
from tests.journeys.conftest import PHONE, Look, Window, sideways, violations, wide
from tests.journeys.walking import follow, press


def fill(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your phone").fill("202 555 0142")
    page.get_by_label("Phone call").check()
    page.get_by_label("What is it about?").fill("I would like to talk about it.")
    page.get_by_label("Yes, you may contact me").check()


@pytest.mark.usefixtures("on_call")
def test_stranger_asks_and_the_front_desk_answers(
    window: Window, staff_window: Window, both: Look, fay: User, maya: User, north: Site
) -> None:
    PublicPages.objects.create(pk=1, cost_kap="240 dollars a session.")
    page = window(PHONE)
    page.goto("/")
    both(page, "asking-00-home")
    follow(page, "Read about the ways of care")
    both(page, "asking-01-options")
    expect(page.get_by_text("240 dollars a session.")).to_be_visible()
    follow(page, "Ask us to contact you")
    press(page, "Send")
    expect(page.get_by_role("alert")).to_contain_text("Write a name we can use.")
    both(page, "asking-02-error")
    fill(page, "Noor Vale")
    both(page, "asking-03-form")
    press(page, "Send")
    expect(page.get_by_role("heading", name="We have what you wrote")).to_be_visible()
    both(page, "asking-04-sent")
    desk = staff_window(fay)
    desk.goto("/caseload/")
    desk.get_by_role("link", name="Enquiries").click()
    both(desk, "asking-05-queue")
    follow(desk, "Noor Vale")
    both(desk, "asking-06-enquiry")
    desk.get_by_label("Therapist").select_option(str(maya.pk))
    press(desk, "Make them a client and send the forms")
    both(desk, "asking-06-refused")  # no text message was ticked: there is no safe way to send a link
    expect(desk.get_by_role("alert")).to_contain_text("There is no safe way to send this")
    desk.get_by_label("Text message").check()  # she said on the phone that it is fine
    press(desk, "Make them a client and send the forms")
    expect(desk.get_by_text("Noor Vale is a client now.")).to_be_visible()
    assert [client.name for client in Client.objects.all()] == ["Noor Vale"]
    page.goto("/enquire/")
    fill(page, "N. Vale")
    press(page, "Send")
    desk.goto("/enquiries/")
    follow(desk, "N. Vale")
    both(desk, "asking-07-known")
    desk.get_by_label("Noor Vale, ").check()
    desk.get_by_label("What you told them", exact=True).fill("The forms are on the way.")
    press(desk, "It is this client")
    expect(desk.get_by_text("Kept in the record of Noor Vale.")).to_be_visible()
    desk.goto("/enquiries/?show=answered")
    both(desk, "asking-08-answered")
    assert Client.objects.count() == 1 and not Enquiry.objects.waiting().exists()


@pytest.mark.usefixtures("house")
def test_asking_needs_no_script(window: Window) -> None:
    page = window(script=False)
    page.goto("/options/")
    follow(page, "Ask us to contact you")
    press(page, "Send")
    expect(page.get_by_role("alert")).to_contain_text("Write a name we can use.")
    fill(page, "Noor Vale")
    press(page, "Send")
    expect(page.get_by_role("heading", name="We have what you wrote")).to_be_visible()
    assert [row.name for row in Enquiry.objects.all()] == ["Noor Vale"]


@pytest.mark.usefixtures("house")
def test_public_pages_fit_the_narrowest_phone_in_both_languages(window: Window) -> None:
    page = window({"width": 320, "height": 640})
    for path in ("/options/", "/enquire/", "/enquire/sent/"):
        page.goto(path)
        assert (wide(page), sideways(page), violations(page)) == ([], 0, [])
    press(page, "Español")
    for path in ("/enquire/sent/", "/enquire/", "/options/"):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("lang", "es")
        assert (wide(page), sideways(page), violations(page)) == ([], 0, [])


def test_admin_changes_what_stands_there(staff_window: Window, both: Look, rosa: User) -> None:
    desk = staff_window(rosa)
    desk.goto("/practice/")
    follow(desk, "Public pages")
    both(desk, "asking-09-pages")
    desk.get_by_label("What it costs: at home").fill("Ask Rosa.")
    press(desk, "Save")
    expect(desk.get_by_text("Saved.")).to_be_visible()
    desk.goto("/options/")
    expect(desk.get_by_text("Ask Rosa.")).to_be_visible()
