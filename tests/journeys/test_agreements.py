"""A new version of an agreement: written, published, signed on a phone (B3; journeys, script 3 step 4)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from intake import resigning
from intake.models import Signature, SigningRequest
from practice.models import Client, User
from tests.intake.test_agreements import signed
from tests.journeys.conftest import DESK, PHONE
from tests.journeys.walking import follow, press

Window = Callable[..., Page]
Look = Callable[[Page, str], None]


def looked(page: Page, look: Look, name: str) -> None:
    for size in (PHONE, DESK):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        look(page, f"agreements-{name}")


@pytest.mark.usefixtures("on_call")
@pytest.mark.story
def test_new_version_is_written_published_and_signed_again(
    window: Window, staff_window: Window, look: Look, rosa: User, sam: Client
) -> None:
    signed(sam, at=timezone.now() - timedelta(days=40))
    page = staff_window(rosa)
    page.goto("/practice/")
    page.get_by_role("link", name="Agreements", exact=True).click()
    page.get_by_role("link", name="Text messages and e-mail").click()
    looked(page, look, "versions-before")
    follow(page, "Write a new version")
    text = page.get_by_label("The text", exact=False).last
    body = text.input_value()
    text.fill(body.replace("Reply STOP to any text, and we stop sending texts.", "Write to us to end texts."))
    press(page, "Save the draft")
    page.get_by_text("That a reply of STOP ends the texts").wait_for()
    looked(page, look, "draft-missing")
    assert page.get_by_role("link", name="Go on to publish").count() == 0
    text = page.get_by_label("The text", exact=False).last
    text.fill(body.replace("You can change that at any time.", "You can change that on your page at any time."))
    press(page, "Save the draft")
    follow(page, "Go on to publish")
    press(page, "Publish")
    page.get_by_text("Choose whether clients sign again.").first.wait_for()
    looked(page, look, "publish-error")
    page.get_by_label("must sign again", exact=True).check()
    page.get_by_label("Because").fill("It says where to change it.")
    page.get_by_label("Why there is a new version").fill("The page of the client is new.")
    press(page, "Publish")
    page.get_by_text("Version 1.1 is what is signed from now on.").wait_for()
    looked(page, look, "versions")
    page.get_by_role("link", name="Read version 1.1").click()
    looked(page, look, "version")
    page.goto("/practice/agreements/")
    looked(page, look, "list")
    page.goto("/practice/agreements/pace/")
    looked(page, look, "pace")
    page.goto("/practice/agreements/signing/")
    press(page, "Start asking")
    page.get_by_text("Started: up to 5 clients a day").wait_for()
    assert resigning.ask_some(at=timezone.now()) == 1
    phone = window(PHONE)
    phone.goto(sam.invitations.get(packet="agreements").path)
    press(phone, "Continue")
    press(phone, "Start")
    press(phone, "I have written it down")
    phone.get_by_label("Type your full name to sign").wait_for()
    look(phone, "agreements-client")
    phone.get_by_label("Type your full name to sign").fill("Samuel Whitehorse")
    press(phone, "Sign and continue")
    phone.wait_for_url("**/my/check/")
    look(phone, "agreements-client-check")
    phone.get_by_role("button", name="Send my answers to").click()
    phone.wait_for_url("**/my/done/")
    look(phone, "agreements-client-done")
    assert sorted(Signature.objects.values_list("version", flat=True)) == ["1", "1.1"]
    assert [row.outcome for row in SigningRequest.objects.all()] == ["signed"]
    page.reload()
    looked(page, look, "signing")
