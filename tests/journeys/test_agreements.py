"""A new version of an agreement: written, published, signed on a phone (B3; journeys, script 3 step 4)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from intake import resigning
from intake.models import Signature, SigningRequest
from practice.models import Client, User
from tests.intake.test_agreements import signed
from tests.journeys.conftest import PHONE, Look, Window
from tests.journeys.walking import follow, press


@pytest.mark.usefixtures("on_call")
@pytest.mark.story
def test_new_version_is_written_published_and_signed_again(
    window: Window, staff_window: Window, look: Look, both: Look, rosa: User, sam: Client
) -> None:
    signed(sam, at=timezone.now() - timedelta(days=40))
    page = staff_window(rosa)
    page.goto("/practice/")
    page.get_by_role("link", name="Agreements", exact=True).click()
    page.get_by_role("link", name="Text messages and e-mail").click()
    both(page, "agreements-versions-before")
    follow(page, "Write a new version")
    text = page.get_by_label("The text", exact=False).last
    body = text.input_value()
    text.fill(body.replace("Reply STOP to any text, and we stop sending texts.", "Write to us to end texts."))
    press(page, "Save the draft")
    page.get_by_text("That a reply of STOP ends the texts").wait_for()
    both(page, "agreements-draft-missing")
    assert page.get_by_role("link", name="Go on to publish").count() == 0
    text = page.get_by_label("The text", exact=False).last
    text.fill(body.replace("You can change that at any time.", "You can change that on your page at any time."))
    press(page, "Save the draft")
    follow(page, "Go on to publish")
    press(page, "Publish")
    page.get_by_text("Choose whether clients sign again.").first.wait_for()
    both(page, "agreements-publish-error")
    page.get_by_label("must sign again", exact=True).check()
    page.get_by_label("Because").fill("It says where to change it.")
    page.get_by_label("Why there is a new version").fill("The page of the client is new.")
    press(page, "Publish")
    page.get_by_text("Version 1.1 is what is signed from now on.").wait_for()
    both(page, "agreements-versions")
    page.get_by_role("link", name="Read version 1.1").click()
    both(page, "agreements-version")
    page.goto("/practice/agreements/")
    both(page, "agreements-list")
    page.goto("/practice/agreements/pace/")
    both(page, "agreements-pace")
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
    both(page, "agreements-signing")
