"""An admin brings a questionnaire in a browser: words, permission, a trial, publishing; and a client answers it."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from intake import actions
from intake.models import Assessment
from practice import instruments
from practice.models import Alert, Client, User
from tests.brought import PDF, drafted, permitted, wording
from tests.journeys.conftest import PHONE, Look, Window
from tests.journeys.walking import choose, follow, press

pytestmark = pytest.mark.story


def test_admin_brings_a_questionnaire(staff_window: Window, both: Look, rosa: User) -> None:
    drafted(rosa, "isi")
    desk = staff_window(rosa)
    desk.goto("/practice/")
    follow(desk, "Instruments")
    both(desk, "instruments-01-list")
    follow(desk, "WHO-5")
    both(desk, "instruments-02-nothing-yet")
    follow(desk, "Enter the English wording")
    desk.get_by_label("What stands above the questions").fill("Over the last week")
    for n in range(1, 6):
        desk.get_by_label(f"Question {n}", exact=True).fill(f"How was day {n}?")
        desk.get_by_label(f"Answer {n}", exact=True).fill(f"Step {n}")
    desk.get_by_label("Answer 0", exact=True).fill("Never")
    both(desk, "instruments-03-wording")
    press(desk, "Save")
    expect(desk.get_by_text("English: the notice of whoever holds the rights")).to_be_visible()
    both(desk, "instruments-04-missing")
    follow(desk, "Change the English wording")
    desk.get_by_text("Show them").click()
    desk.get_by_label("Own answers of question 2").fill("Only one")
    press(desk, "Save")
    expect(desk.get_by_role("alert")).to_contain_text("Write 6 lines here")
    both(desk, "instruments-05-refused")
    desk.get_by_label("Own answers of question 2").fill("")
    desk.get_by_label("The notice of whoever holds the rights").fill("(c) The holder")
    press(desk, "Save")
    follow(desk, "Write down the permission")
    both(desk, "instruments-06-permission")
    press(desk, "Write it down")
    expect(desk.get_by_role("alert").first).to_contain_text("Write where the permission can be found.")
    both(desk, "instruments-07-permission-refused")
    desk.get_by_label("Who holds the rights").fill("The holder")
    desk.get_by_label("Where the permission is").fill("Letter in the blue folder")
    desk.get_by_label("Since when").fill("2026-01-02")
    desk.get_by_label("I have read the permission", exact=False).check()
    desk.get_by_label("The permission as PDF").set_input_files(
        {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    press(desk, "Write it down")
    both(desk, "instruments-08-ready")
    follow(desk, "See it as a client will, and try the scoring")
    both(desk, "instruments-09-preview")
    for n in range(1, 6):
        choose(desk, "Step 5", of=f"How was day {n}?")
    press(desk, "Try the scoring")
    expect(desk.get_by_role("status")).to_contain_text("100 of 100, Good")
    both(desk, "instruments-10-trial")
    follow(desk, "Done")
    follow(desk, "Read it through and publish")
    both(desk, "instruments-11-publish")
    desk.get_by_label("Why").fill("First version")
    press(desk, "Publish")
    expect(desk.get_by_text("In use, version 1.")).to_be_visible()
    both(desk, "instruments-12-in-use")
    follow(desk, "Version 1")
    both(desk, "instruments-13-version")
    follow(desk, "WHO-5")
    follow(desk, "It was taken back")
    both(desk, "instruments-14-end")
    desk.get_by_label("Why it ends").fill("The holder wrote")
    press(desk, "End the permission")
    expect(desk.get_by_role("heading", name="WHO-5")).to_be_visible()
    both(desk, "instruments-15-ended")
    assert instruments.in_use(timezone.now()) == ()


def test_client_answers_a_brought_questionnaire_until_its_permission_ends(
    window: Window, staff_window: Window, look: Look, both: Look, rosa: User, maya: User, sam: Client,
    on_call: User,
) -> None:  # fmt: skip
    at = timezone.now()
    permitted(rosa, "qids-sr16", at)
    draft = drafted(rosa, "qids-sr16", wording("qids-sr16", instructions="Over the last 7 days"), at=at)
    instruments.publish(by=rosa, key="qids-sr16", reason="First", draft=draft.version, at=at)
    desk = staff_window(maya)
    desk.goto(f"/clients/{sam.pk}/invite/")
    choose(desk, "QIDS-SR16, about 4 minutes", of="What to send")
    both(desk, "instruments-20-send")
    invitation = actions.invite(by=maya, client=sam, key="qids-sr16", at=at)
    phone = window(PHONE)
    phone.goto(invitation.path)
    press(phone, "Continue")
    phone.wait_for_url("**/my/")
    look(phone, "instruments-21-start")
    press(phone, "Start")
    phone.goto("/my/q/qids-sr16--1/")
    look(phone, "instruments-22-question")
    phone.goto("/my/q/qids-sr16--12/")
    look(phone, "instruments-23-safety")
    choose(phone, "Words is 1")
    press(phone, "Continue")
    phone.wait_for_url("**/my/support/")
    look(phone, "instruments-24-bridge")
    instruments.end_permission(by=rosa, key="qids-sr16", words="Taken back", at=timezone.now())
    phone.goto("/my/check/")
    expect(phone.get_by_text("Some questions of this form are not asked any more.")).to_be_visible()
    look(phone, "instruments-25-check")
    phone.get_by_role("button", name="Send my answers to Maya").click()
    phone.wait_for_url("**/my/done/")
    row = Assessment.objects.get(client=sam, instrument="qids-sr16")
    assert (row.safety, row.total, Alert.objects.get().rule_ids[0]) == (True, None, "own-item")
    desk.goto(f"/clients/{sam.pk}/assessments/{row.pk}/")
    both(desk, "instruments-26-read")
    desk.goto(f"/clients/{sam.pk}/")
    both(desk, "instruments-27-chart")
