"""A client shows somebody they trust a part of their care, that person looks, a therapist shares a measure (K7, K4)."""

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from intake import actions, shares, trusted
from intake.models import Intake, TrustedPerson
from practice.kap.models import Plan, Session
from practice.models import Client, Notice, User
from tests.journeys.conftest import DESK, Look, Window
from tests.journeys.walking import at_own_page, follow, press, reads
from tests.sittings import answered, assessed, phq9_of, sitting


def heard(client: Client) -> None:
    now = timezone.now()
    for weeks, total in ((12, 19), (8, 17), (4, 12), (1, 9)):
        at = now - timedelta(weeks=weeks)
        row = sitting(client, at, packet="check-in")
        answered(row, at, **{"phq-9--1": 1, "phq-9--2": 2})
        assessed(row, "phq-9", phq9_of(total))


def test_client_gives_a_page_and_the_person_looks(
    window: Window, staff_window: Window, look: Look, maya: User, sam: Client
) -> None:
    now = timezone.now()
    plan = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=now.date(), therapist=maya)
    Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=now + timedelta(days=2), therapist=maya)
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "See it, or change it")
    look(phone, "trusted-01-none")
    follow(phone, "Give somebody a page")
    press(phone, "Sign, and send them the link")
    look(phone, "trusted-02-wrong")
    phone.get_by_label("Their name").fill("Lee Park")
    phone.get_by_label("Their phone").fill("202 555 0961")
    phone.get_by_label("See appointments and how far the plan is").check()
    phone.get_by_label("Get a message the day before a ride home is needed").check()
    phone.get_by_label("Type your full name to sign").fill("Sam Whitehorse")
    look(phone, "trusted-03-form")
    press(phone, "Sign, and send them the link")
    expect(phone.get_by_text("Done. We sent Lee Park a link.")).to_be_visible()
    person = TrustedPerson.objects.get()

    theirs = window()
    theirs.goto(Notice.objects.get(template="person_link").words["link"])
    press(theirs, "Continue")
    look(theirs, "trusted-04-check")
    press(theirs, "Text me a code")
    theirs.wait_for_load_state()
    theirs.get_by_label("Your code").fill(Notice.objects.get(template="person_code").words["code"])
    press(theirs, "Open my page")
    reads(theirs, "What Sam shares with you")
    look(theirs, "trusted-05-home")
    theirs.get_by_role("link", name=re.compile("Appointments and the plan")).click()
    reads(theirs, "Appointments and the plan")
    look(theirs, "trusted-06-plan")
    theirs.go_back()
    theirs.get_by_role("link", name=re.compile("When a ride home")).click()
    look(theirs, "trusted-07-rides")

    phone.reload()
    look(phone, "trusted-08-looks")
    staff = staff_window(maya)
    staff.goto(f"/clients/{sam.pk}/people/")
    look(staff, "trusted-09-staff")
    staff.set_viewport_size({"width": 390, "height": 844})
    look(staff, "trusted-09-staff")
    phone.get_by_role("link", name="Change or stop it").click()
    look(phone, "trusted-10-one")
    press(phone, "Stop it for Lee Park")
    expect(phone.get_by_text("Stopped. Lee Park cannot open it any more.")).to_be_visible()
    theirs.reload()
    theirs.wait_for_url("**/my/locked/")
    look(theirs, "trusted-11-shut")
    person.refresh_from_db()
    assert person.ended_at is not None


def test_therapist_shares_a_measure_and_the_client_reads_it(
    window: Window, staff_window: Window, look: Look, maya: User, sam: Client
) -> None:
    heard(sam)
    staff = staff_window(maya)
    staff.goto(f"/clients/{sam.pk}/")
    staff.get_by_role("link", name="Share with the client").click()
    staff.get_by_label("What it means, in your own words").fill("You told me the mornings are lighter. So do these.")
    press(staff, "Share it with the client")
    expect(staff.get_by_text("Shared. It stands on the client's own page now.")).to_be_visible()
    look(staff, "shared-01-staff")
    staff.set_viewport_size({"width": 390, "height": 844})
    look(staff, "shared-01-staff")
    assert len(shares.standing(sam)) == 1
    phone = window()
    at_own_page(phone, sam)
    follow(phone, "See your answers")
    look(phone, "shared-02-client")
    phone.set_viewport_size(DESK)  # type: ignore[arg-type]
    look(phone, "shared-02-client")
    phone.get_by_role("link", name="Your check-in").first.click()
    look(phone, "shared-03-sent")
    phone.set_viewport_size({"width": 390, "height": 844})
    look(phone, "shared-03-sent")


def test_guardian_answers_signs_and_is_shown_how_to_be_with_them(
    window: Window, staff_window: Window, both: Look, maya: User, on_call: User, sam: Client
) -> None:
    """Feature K7: forms from a guardian's own page, with and without script, and what staff read of it."""
    now = timezone.now()
    person = trusted.give_guardian(
        by=maya, client=sam, name="Ana Whitehorse", relation="mother", phone="202 555 0963", email="",
        may=["see_plan"], document="proxy", document_reference="Copy in the paper file",
        document_on=now.date() - timedelta(days=30), until=now.date() + timedelta(days=60), at=now,
    )  # fmt: skip
    staff = staff_window(maya)
    staff.goto(f"/clients/{sam.pk}/people/")
    staff.get_by_role("button", name="Let them answer forms and sign").click()
    expect(staff.get_by_text("Saved. They can answer forms and sign agreements for the client.")).to_be_visible()
    both(staff, "guardian-01-staff")
    asked = actions.invite(by=maya, client=sam, key="intake", at=now, only=["phq-9--1", "phq-9--9", "allergies"])
    signing = actions.invite(by=maya, client=sam, key="intake", at=now, only=["agreement--treatment"])

    theirs = window()
    theirs.goto(Notice.objects.get(template="person_link").words["link"])
    press(theirs, "Continue")
    press(theirs, "Text me a code")
    theirs.wait_for_load_state()
    theirs.get_by_label("Your code").fill(Notice.objects.get(template="person_code").words["code"])
    press(theirs, "Open my page")
    reads(theirs, "What Sam shares with you")
    expect(theirs.get_by_role("heading", name="Forms to answer for Sam")).to_be_visible()
    both(theirs, "guardian-02-home")
    theirs.locator(f"form[action$='{asked.pk}/'] button").click()
    theirs.wait_for_url("**/my/")
    both(theirs, "guardian-03-start")
    press(theirs, "Start")
    theirs.get_by_label("Several days").check()
    both(theirs, "guardian-04-question")
    press(theirs, "Continue")
    theirs.wait_for_url("**/phq-9--2/")
    theirs.goto(theirs.url.replace("phq-9--2", "phq-9--9"))
    theirs.get_by_label("Nearly every day").check()
    press(theirs, "Continue")
    theirs.wait_for_url("**/my/support/")
    expect(theirs.get_by_role("heading", name="While you are with Sam")).to_be_visible()
    both(theirs, "guardian-05-support")
    follow(theirs, "Go on with the questions")
    press(theirs, "Skip: I would rather talk about this")
    theirs.goto(theirs.url.partition("/my/")[0] + "/my/check/")
    reads(theirs, "Check your answers, then send them to Maya")
    both(theirs, "guardian-06-check")
    press(theirs, "Send my answers to Maya")
    theirs.wait_for_url("**/my/done/")
    both(theirs, "guardian-07-done")
    follow(theirs, "Back to your page")
    theirs.locator(f"form[action$='{signing.pk}/'] button").click()
    press(theirs, "Start")
    theirs.get_by_label("Type your full name to sign").fill("Ana Whitehorse")
    both(theirs, "guardian-08-sign")
    press(theirs, "Sign and continue")
    theirs.wait_for_url("**/my/check/")

    sitting = Intake.objects.get(invitation=asked)
    staff.goto(f"/clients/{sam.pk}/intakes/{sitting.pk}/")
    both(staff, "guardian-09-read")
    expect(staff.get_by_text("Answered by Ana Whitehorse, mother, guardian, not by the client").first).to_be_visible()
    trusted.entrust(by=maya, person=person, may=False, at=timezone.now())
    theirs.reload()
    theirs.wait_for_url("**/with/")
    expect(theirs.get_by_text("You cannot go on with these forms now.")).to_be_visible()
    both(theirs, "guardian-10-over")
