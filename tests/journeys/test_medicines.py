"""A client sends photos of a medication list, from the form and from their own page; their therapist types it (A18)."""

import pytest
from playwright.sync_api import Page, expect

from intake.models import MedicinePage
from practice.models import Client, User
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import at_own_page, follow, invited, press, reads
from tests.practice.test_pictures import photo


def choose(page: Page, name: str, body: bytes) -> None:
    page.get_by_label("Photo or PDF").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": body})
    press(page, "Send this page")


def test_client_sends_two_pages_and_the_therapist_types_them(
    window: Window, staff_window: Window, both: Look, maya: User, sam: Client
) -> None:
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "Send a photo of my list")
    both(phone, "medicines-01-empty")
    choose(phone, "list.html", b"<html>")
    expect(phone.get_by_role("link", name="We take photos (JPEG or PNG) and PDF.")).to_be_visible()
    assert phone.title().startswith("Error:")
    both(phone, "medicines-02-error")
    choose(phone, "IMG_1.jpg", photo(where=True))
    expect(phone.get_by_text("Your page is here. You can add another.")).to_be_visible()
    choose(phone, "IMG_2.jpg", photo(size=(100, 300)))
    expect(phone.get_by_text("Waits to be read.")).to_have_count(2)
    both(phone, "medicines-03-two")

    desk = staff_window(maya)
    desk.goto(f"/clients/{sam.pk}/")
    both(desk, "medicines-04-chart")
    with desk.expect_download() as kept:
        desk.get_by_role("link", name="Page 1, photo").click()
    assert kept.value.suggested_filename == "medicines-1.jpg"
    desk.get_by_role("button", name="I typed these medicines").click()
    expect(desk.get_by_text("2 pages are noted as typed.")).to_be_visible()
    both(desk, "medicines-05-typed")
    assert set(MedicinePage.objects.values_list("typed_by", flat=True)) == {maya.pk}

    phone.reload()
    expect(phone.get_by_text("Maya typed it into your record.")).to_have_count(2)
    both(phone, "medicines-06-typed")


@pytest.mark.usefixtures("on_call")
@pytest.mark.parametrize("script", [True, False])
def test_photo_from_the_form_keeps_what_was_typed(window: Window, both: Look, sam: Client, script: bool) -> None:
    page = window(script=script)
    page.goto(invited(sam).path)
    press(page, "Continue")
    press(page, "Start")
    page.goto("/my/q/medicines-now/")
    page.get_by_label("Name").fill("Sertraline")
    if script:
        both(page, "medicines-07-question")
    press(page, "Send a photo of my list")
    reads(page, "Send a photo of your medication list")
    choose(page, "IMG_1.jpg", photo())
    follow(page, "I am done here")
    expect(page.get_by_label("Name")).to_have_value("Sertraline")
    expect(page.get_by_text("The photos of your list are here")).to_be_visible()
    if script:
        both(page, "medicines-08-question-again")
