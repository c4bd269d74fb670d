"""A session by video: the adult in the home on their phone, the therapist in the room page; a limit lifted by link."""

from datetime import timedelta
from decimal import Decimal

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans, requests
from practice.kap.models import ChaperoneLink, ClearanceRequest, Entry, OutsidePrescriber, Plan, Session
from practice.models import Client, Notice, User
from tests.journeys.conftest import DESK, PHONE, Look, Window
from tests.journeys.test_dosing import booked
from tests.journeys.walking import press


def test_adult_in_the_home_checks_tells_and_catches_up(
    staff_window: Window, window: Window, look: Look, both: Look, maya: User, pax: User, sam: Client
) -> None:
    session = booked(maya, pax, sam)
    desk = staff_window(maya)
    desk.goto(reverse("session", args=[session.plan_id, session.pk]))
    desk.get_by_label("Where", exact=True).select_option(label="By video, with an adult in the home")
    desk.locator("#place").get_by_role("button", name="Keep").click()
    desk.get_by_label("Name", exact=True).fill("Kim Lee")
    desk.get_by_label("Phone", exact=True).fill("202 555 0177")
    desk.get_by_label("Text message").check()
    press(desk, "Make the link")
    link = ChaperoneLink.objects.get()
    expect(desk.get_by_text(link.code)).to_be_visible()
    look(desk, "home-01-room")
    desk.set_viewport_size(PHONE)  # type: ignore[arg-type]
    look(desk, "home-01-room")

    phone = window(PHONE)
    phone.goto(f"/c/{link.token}/")
    look(phone, "home-02-open")
    phone.get_by_label("Code").fill("000001" if link.code == "000000" else "000000")
    press(phone, "I am with them now")
    expect(phone.get_by_role("link", name="That code does not fit.")).to_be_visible()
    look(phone, "home-03-wrong-code")
    phone.get_by_label("Code").fill(link.code)
    press(phone, "I am with them now")
    expect(phone.get_by_role("heading", name="With Sam")).to_be_visible()
    press(phone, "I looked: awake, breathing normally")
    expect(phone.get_by_text("As expected.")).to_be_visible()
    both(phone, "home-04-page")

    phone.context.set_offline(True)
    phone.get_by_label("What you see").select_option(label="They are vomiting")
    phone.get_by_label("In your words, if you have time").fill("Twice in ten minutes")
    press(phone, "We need help now")
    expect(
        phone.get_by_text("Not sent yet: no connection. If they need help, call 911 or the therapist.")
    ).to_be_visible()
    look(phone, "home-05-offline")
    phone.context.set_offline(False)
    expect(phone.get_by_text("They are vomiting. Twice in ten minutes")).to_be_visible()
    assert Entry.objects.filter(session=session, by_chaperone=link).count() == 2

    alarm = desk.locator("#alarm")
    expect(alarm).to_be_visible(timeout=20_000)  # by itself, without a press
    expect(alarm).to_contain_text("Help is needed now. They are vomiting. Twice in ten minutes")
    expect(alarm).to_be_in_viewport()
    look(desk, "home-06-alarm")
    desk.set_viewport_size(DESK)  # type: ignore[arg-type]
    expect(alarm).to_be_in_viewport()
    look(desk, "home-06-alarm")
    desk.get_by_role("link", name="Grade it and record the event").click()
    desk.locator("#event > summary").click()
    desk.locator("#e-what").select_option("vomiting")
    desk.locator("#e-grade").select_option("1")
    press(desk, "Record the event")
    expect(desk.locator("#alarm")).to_have_count(0)

    press(desk, "End this link")
    phone.reload()
    expect(phone.get_by_role("heading", name="This is over")).to_be_visible()
    expect(phone.get_by_text("Sam")).to_have_count(0)
    look(phone, "home-07-over")
    stranger = window(PHONE)
    stranger.goto(f"/c/{link.token}/")
    look(stranger, "home-08-old")


def test_adult_in_the_home_needs_no_script(window: Window, look: Look, maya: User, pax: User, sam: Client) -> None:
    from practice.kap.actions import chaperone

    session, at = booked(maya, pax, sam), timezone.now()
    chaperone.place(by=maya, session=session, setting=Session.Setting.REMOTE, at=at)
    link = chaperone.ask(by=maya, session=session, name="Kim Lee", phone="202 555 0177", at=at)
    phone = window(PHONE, script=False)
    phone.goto(f"/c/{link.token}/")
    phone.get_by_label("Code").fill(link.code)
    press(phone, "I am with them now")
    press(phone, "I looked: frightened, but well")
    expect(phone.get_by_text("Kept. The therapist sees it.")).to_be_visible()
    phone.get_by_label("What you see").select_option(label="They fell")
    press(phone, "Tell the therapist")
    expect(phone.get_by_text("Needs attention. They fell.")).to_be_visible()
    assert [entry.facts["state"] for entry in session.entries.all()] == ["frightened", "attention"]


def test_prescriber_outside_lifts_a_limit_by_the_link(
    staff_window: Window, window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    at = timezone.now()
    grey = OutsidePrescriber.objects.create(name="Dr Grey", email="grey@rx.example", licence="NY 123456")
    clearance.grant(
        by=pax, client=sam, doses=2, until=(at + timedelta(days=90)).date(), most_mg=Decimal(100),
        route="sublingual", words="", at=at,
    )  # fmt: skip
    first = (at + timedelta(days=21)).date()
    plan: Plan = plans.make(
        by=maya, client=sam, template=templates()["intensive-weekend"], first=first, clock=at.time().replace(hour=14),
        therapist=maya, room="Blue room", at=at,
    )  # fmt: skip
    requests.ask(by=maya, client=sam, to=grey, plan=plan, words="Two days in a row, she stays nearby.", at=at)
    there = window(DESK)
    there.goto(f"/x/{ClearanceRequest.objects.get().token}/")
    press(there, "Send me a code")
    there.get_by_label("Code").fill(str(Notice.objects.get(template="prescriber_code").words["code"]))
    press(there, "Open the question")
    expect(there.get_by_text("less than 48 hours after another dose").first).to_be_visible()
    look(there, "limit-01-question")
    there.set_viewport_size(PHONE)  # type: ignore[arg-type]
    look(there, "limit-01-question")
    press(there, "Lift it for this plan")
    expect(there.get_by_role("link", name="Choose the limit that is lifted.")).to_be_visible()
    look(there, "limit-02-error")
    lift = there.locator("section", has=there.get_by_role("heading", name="What stands against the plan"))
    lift.get_by_label("less than 48 hours").check()
    lift.get_by_label("The reason").fill("She stays with her sister, and I am on the phone both days.")
    press(there, "Lift it for this plan")
    expect(there.get_by_text("Limit lifted by the prescriber")).to_be_visible()
    look(there, "limit-03-answered")
    desk = staff_window(maya)
    desk.goto(plan.get_absolute_url())
    expect(desk.get_by_text("Dr Grey, licence NY 123456, by a link")).to_be_visible()
    look(desk, "limit-04-plan")
