"""From a flag to the clinic and back: the therapist's Monday and the client's phone (journeys.md, scripts 1 and 2)."""

import re
import time
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import Page, expect

from intake import measures
from intake.models import Measure
from practice.actions import record_contact
from practice.models import Client, Notice, Practice, SafetyPlan, User
from practice.templatetags.ui import day as short_day
from referrals.actions import decisions, releases
from referrals.models import Decision, Destination, Path, Referral, Release, Section
from tests import factories
from tests.journeys.conftest import DESK, Look, Window
from tests.journeys.mailbox import come_in, link_in, newest
from tests.journeys.walking import (
    Hand,
    answer,
    at_own_page,
    begun,
    choose,
    follow,
    on,
    plan_written,
    press,
    reads,
    say,
    sent,
)
from tests.journeys.walking import come_in as come_back
from tests.referrals import cases
from tests.referrals.desks import went_out
from tests.system.conftest import Postbox

pytestmark = pytest.mark.story
WHY = "PHQ-9 19 after two trials, thoughts of suicide."
MOMENT = "%Y-%m-%dT%H:%M"
CLICKS_TO_DECIDE, CLICKS_TO_SEND = 4, 6
TOLD_S, SENT_S, NINE_S = 5, 180, 90
ABOUT_THE_CLIENT = ("Sam", "Whitehorse", "suicid", "depress", "PHQ", "ketamine", "infusion")

# PHQ-9 of 17 with thoughts of suicide on several days; the screener says moderate.
TOLD: dict[str, Any] = (
    {f"phq_9__{n}": 2 for n in range(1, 9)}
    | {"phq_9__9": 1, "names": {"used": "Sam Whitehorse", "legal": "Samuel Whitehorse"}}
    | {f"cssrs_screener_recent__{n}": int(n < 4) for n in range(1, 7)}
    | {"ride": "yes", "adult_stays": "yes", "safe_home": "yes"}
)


@pytest.fixture
def northlake(house: Practice) -> Destination:
    return cases.clinic(accepts_suicidal=True)


def soon(hours: int) -> str:
    return (timezone.now() + timedelta(hours=hours)).astimezone(ZoneInfo(Practice.get().zone)).strftime(MOMENT)


def day(days: int) -> str:
    return (factories.today() + timedelta(days=days)).isoformat()


def test_therapist_from_the_flag_to_the_task_after_session_two(
    window: Window,
    staff_window: Window,
    look: Look,
    both: Look,
    postbox: Postbox,
    maya: User,
    on_call: User,
    sam: Client,
    northlake: Destination,
) -> None:
    """Script 2, steps 1 to 5 and 7; ux checks 24, 25 and 38."""
    sent(sam, **TOLD)
    desk = staff_window(maya)
    hand = Hand(desk)

    # 1 The caseload says it without opening.
    began = time.monotonic()
    desk.goto("/caseload/")
    row = desk.get_by_role("row").filter(has_text="Sam Whitehorse")
    expect(row).to_contain_text("C-SSRS moderate, item 9 positive.")
    assert time.monotonic() - began < TOLD_S

    # 3 One screen, one line, at most four clicks; the decision is kept though sending is on hold.
    desk.goto(sam.get_absolute_url())
    card = desk.get_by_role("region", name="Consider an infusion clinic referral")
    expect(card).to_contain_text("Sending is on hold. You can decide and prepare now.")
    expect(card.get_by_role("link", name="Record contact (SR-03)")).to_be_visible()  # ux 24, on the card
    both(desk, "story-chart")
    hand.follow("Prepare infusion referral", card)
    both(desk, "story-decide")
    desk.get_by_label("Your reasoning, in one line").fill("PHQ-9 17 for eight weeks in therapy, thoughts of suicide.")
    hand.choose("Urgent", "How urgent is it?")
    hand.press("Keep the decision")
    expect(desk.get_by_text("Decision kept.")).to_be_visible()
    assert hand.clicks <= CLICKS_TO_DECIDE, hand.clicks
    both(desk, "story-decided")
    decision = Decision.objects.get(client=sam)
    assert (decision.choice, decision.urgency, decision.by) == (Path.INFUSION, "urgent", maya)

    # 5 The referral is prepared, nothing retyped; what stands in the way is named with the button that mends it.
    hand = Hand(desk)
    desk.goto(sam.get_absolute_url())
    hand.follow("Prepare a referral")
    expect(desk.get_by_role("textbox", name="Why now")).to_have_value(re.compile("^PHQ-9 17 for eight weeks"))
    both(desk, "story-referral-new")
    hand.tick(desk.get_by_label(re.compile("^Northlake Infusion")))
    hand.press("Save and see what they get")
    stops = desk.get_by_role("region", name="Before it can go")
    expect(stops).to_contain_text("On hold by SR-03")  # ux 24
    expect(stops).to_contain_text("the call to the clinic is not recorded yet")
    expect(desk.get_by_role("button", name="Send to Northlake Infusion")).to_have_count(0)
    both(desk, "story-referral-stopped")
    stops.get_by_role("link", name="Record contact").click()

    # Ux 25: the contact lifts the hold, the bar says by whom.
    desk.get_by_role("main").get_by_role("button", name="Acknowledge").click()
    contact = desk.get_by_role("region", name="Record safety contact")
    choose(desk, "Spoke with the client", of="Did you reach them?")
    choose(desk, "Moderate", of="Level, by your own assessment")
    contact.get_by_label("What you did").fill("Called; went through the steps of the plan.")
    contact.get_by_label("Plan", exact=True).fill("Lee stays tonight. Call tomorrow.")
    contact.get_by_label("Next check").fill(soon(24))
    contact.get_by_role("button", name="Save the contact").click()
    expect(desk.get_by_role("region", name="Open safety flag")).to_contain_text(re.compile(r"Contact made .* by you\."))
    desk.goto(sam.get_absolute_url())
    card = desk.get_by_role("region", name="Recent")
    expect(card).to_contain_text("contact")

    # 4 The safety plan, written with the client; a draft saves by itself, a review date is asked for.
    plan_written(desk, sam)

    # The release: asked for by the button, signed on the phone, and the draft goes on from there.
    desk.goto(Referral.objects.get(client=sam).get_absolute_url())
    stops = desk.get_by_role("region", name="Before it can go")
    expect(stops).not_to_contain_text("SR-03")
    stops.get_by_role("link", name="Ask the client to sign now").click()
    both(desk, "story-release-new")
    press(desk, "Ask for this release")
    both(desk, "story-releases")
    phone = at_own_page(window(), sam)
    both(phone, "story-home-asked")
    follow(phone, "Read it")
    both(phone, "story-release")
    phone.get_by_label("Type your full name to sign").fill("Samuel Whitehorse")
    press(phone, "Sign")
    expect(phone.get_by_role("status")).to_contain_text("You can stop it here at any time.")
    assert Release.objects.get(client=sam).signed_at is not None

    # The warm hand-off is asked for; then it goes, by a mail that says nothing about the client.
    desk.goto(Referral.objects.get(client=sam).get_absolute_url())
    assert desk.get_by_role("region", name="Before it can go").get_by_role("listitem").count() == 1
    handed_over(hand)
    expect(desk.get_by_text("The hand-off is recorded.")).to_be_visible()
    both(desk, "story-referral-ready")
    desk.get_by_label("Pain", exact=True).click()
    press(desk, "Save the draft")
    expect(desk.get_by_text("Stays out: Pain.")).to_be_visible()
    press(desk, "Send to Northlake Infusion")
    referral = Referral.objects.get(client=sam)
    expect(desk.get_by_text(f"Sent to Northlake Infusion. Reference {referral.reference}.")).to_be_visible()
    both(desk, "story-referral-sent")
    mail = newest(postbox, "Urgent referral from Cedar House")
    assert [word for word in ABOUT_THE_CLIENT if word.lower() in mail.as_string().lower()] == []

    # A second one for the same client warns.
    desk.goto(f"{sam.get_absolute_url()}referrals/new/")
    expect(
        desk.get_by_role("link", name=re.compile(rf"{referral.reference} to Northlake Infusion is open"))
    ).to_be_visible()

    # 7 The clinic accepts and ticks: the therapist's page and list know within seconds (ux 38).
    clinic = window(DESK)
    come_in(clinic, link_in(mail), postbox)
    clinic.get_by_label("First visit, if you know it").fill(soon(24))
    clinic.get_by_label("Your name").first.fill("Marta Lopez")
    press(clinic, "Send answer")
    counts(clinic, 0)
    began = time.monotonic()
    desk.goto(referral.get_absolute_url())
    expect(desk.get_by_role("main")).to_contain_text("Visit booked")
    assert time.monotonic() - began < TOLD_S
    both(desk, "story-referral-booked")
    press(clinic, "Fill 5 dates (Tue, Thu, Sat)")
    expect(clinic.get_by_text("5 dates are filled")).to_be_visible()
    look(clinic, "story-clinic-dates")
    with timezone.override(Practice.get().zone):
        first = short_day(timezone.now() + timedelta(days=1))
    with time_machine.travel(timezone.now() + timedelta(days=7)):
        come_in(clinic, link_in(mail), postbox)
        for number in (1, 2):
            clinic.get_by_role("button", name=re.compile(rf"^Mark done\W+Infusion {number}$")).click()
            counts(clinic, number)
        began = time.monotonic()
        desk = staff_window(maya)
        desk.goto(sam.get_absolute_url())
        expect(desk.get_by_role("region", name="To do")).to_contain_text("Infusion 2 was")
        assert time.monotonic() - began < TOLD_S
        both(desk, "story-chart-in-treatment")
        desk.goto(referral.get_absolute_url())
        expect(desk.get_by_role("region", name="Steps")).to_contain_text(re.compile(f"First session {first}"))
        both(desk, "story-referral-in-treatment")
        desk.goto("/referrals/")
        both(desk, "story-referrals")
        desk.goto("/caseload/")
        expect(desk.get_by_role("row").filter(has_text="Sam Whitehorse")).to_contain_text("Infusions 2 of 6")
        desk.goto("/caseload/?show=infusions")
        expect(desk.get_by_role("row").filter(has_text="Sam Whitehorse")).to_have_count(1)
        both(desk, "story-caseload-in-treatment")


def decided(maya: User, sam: Client) -> Decision:
    return decisions.decide(
        by=maya, client=sam, suggestion=None, choice=Decision.Choice.INFUSION, urgency=Decision.Urgency.URGENT,
        weighed=[Path.INFUSION], offered=[Path.INFUSION], said="agreed", said_words="", review_on=None,
        reasoning=WHY, at=timezone.now(),
    )  # fmt: skip


def test_from_the_chart_to_sent_in_six_clicks_with_nothing_retyped(
    staff_window: Window, postbox: Postbox, maya: User, on_call: User, sam: Client, northlake: Destination
) -> None:
    """Script 2, step 5: 6 clicks and 3 minutes from the client's page, the call and a part withheld among them."""
    cases.whole_record(sam, maya, timezone.now())
    sam.safety_plans.update(given_at=timezone.now())
    cases.released(sam, northlake)
    decided(maya, sam)
    desk = staff_window(maya)
    desk.goto(sam.get_absolute_url())
    hand, began = Hand(desk), time.monotonic()
    hand.follow("Prepare a referral")
    hand.tick(desk.get_by_label(re.compile("^Northlake Infusion")))
    hand.tick(desk.get_by_label("Pain", exact=True))
    hand.press("Save and see what they get")
    expect(desk.get_by_text("Stays out: Pain.")).to_be_visible()
    handed_over(hand)
    hand.press("Send to Northlake Infusion")
    expect(desk.get_by_text(re.compile("^Sent to Northlake Infusion"))).to_be_visible()
    assert hand.clicks <= CLICKS_TO_SEND, hand.clicks
    assert time.monotonic() - began < SENT_S
    row = Referral.objects.get(client=sam)
    assert (row.why_now, row.urgency, row.withheld) == (
        "PHQ-9 19 after two trials, thoughts of suicide.",
        "urgent",
        ["pain"],
    )
    assert newest(postbox, "Urgent referral from Cedar House")["To"] == northlake.email


def test_watching_needs_a_reason_and_books_the_check_in(
    staff_window: Window, both: Look, maya: User, on_call: User, sam: Client
) -> None:
    """Ux check 27: no reason, an error summary; with one the client moves to This week, the check-in is booked."""
    sent(sam, **TOLD | {"phq_9__9": 0})
    desk = staff_window(maya)
    desk.goto(sam.get_absolute_url())
    hand = Hand(desk)
    hand.follow("Watch, recheck in 7 days")
    hand.press("Keep the decision")
    expect(desk).to_have_title(re.compile("^Error: "))
    expect(desk.get_by_role("alert")).to_contain_text("Write one line of reasoning.")
    both(desk, "story-watch-error")
    desk.get_by_label("Your reasoning, in one line").fill("New job, sleeps badly. Look again in a week.")
    hand.press("Keep the decision")
    expect(desk.get_by_text("Decision kept.")).to_be_visible()
    assert hand.clicks <= CLICKS_TO_DECIDE, hand.clicks
    desk.goto("/caseload/")
    week = desk.get_by_role("rowgroup").filter(has_text="This week")
    expect(week.get_by_role("link", name="Sam Whitehorse", exact=True)).to_be_visible()
    both(desk, "story-watch-caseload")
    desk.goto(sam.get_absolute_url())
    planned = desk.get_by_role("region", name="Planned check-ins")
    zone = ZoneInfo(Practice.get().zone)
    in_a_week = timezone.localdate(timezone.now(), zone) + timedelta(days=7)
    expect(planned).to_contain_text(str(in_a_week.day))
    [measure] = Measure.objects.filter(client=sam, sent_at=None, stopped_at=None)
    due_on = timezone.localdate(measure.due_at, zone)
    assert (measure.packet, measure.why, due_on) == ("check-in", "recheck", in_a_week)


def test_client_from_item_nine_to_did_you_go(
    window: Window,
    both: Look,
    postbox: Postbox,
    maya: User,
    on_call: User,
    sam: Client,
    northlake: Destination,
) -> None:
    """Script 1, steps 4 to 6; ux checks 11 and 19."""
    # 4 Item 9: help comes before any further question.
    sitting = begun(sam, "phq-9--9", **{name: said for name, said in TOLD.items() if name != "phq_9__9"})
    phone = come_back(window(), sitting)
    say(phone, "Several days")
    on(phone, "/my/support/")
    assert phone.locator("main a").first.get_attribute("href") == "tel:988"
    both(phone, "client-support")
    answer(sitting, **TOLD)
    phone.goto("/my/check/")
    press(phone, "Send my answers to Maya")
    reads(phone, "Maya has your answers")
    contacted(maya, sam)
    plan(maya, sam)

    # 5 The release, on her phone.
    at = timezone.now()
    release = releases.ask(
        by=maya, client=sam, destination=northlake, sections=list(Section), purpose="So that they can decide with you",
        expires_on=timezone.localdate(at) + timedelta(days=90), part2=False, at=at,
    )  # fmt: skip
    releases.tell(by=maya, release=release, at=at)
    phone = at_own_page(window(), sam)
    follow(phone, "Read it")
    phone.get_by_label("Type your full name to sign").fill("Samuel Whitehorse")
    press(phone, "Sign")
    expect(phone.get_by_role("status")).to_contain_text("You can stop it here at any time.")
    both(phone, "client-permissions")

    # 6 The clinic opens, says yes and gives a day; her page says so, with the plan, and one next thing.
    referral = went_out(sam, maya, northlake)
    phone.goto("/my/home/")
    both(phone, "client-home-sent")
    expect(phone.get_by_role("region", name="Your referral")).to_contain_text("They have not opened it yet")
    clinic = window(DESK)
    mail = newest(postbox, "Referral from Cedar House")
    come_in(clinic, link_in(mail), postbox)
    phone.reload()
    expect(phone.get_by_role("region", name="Your referral")).to_contain_text(
        re.compile("Opened by the clinic .* am|pm")
    )
    clinic.get_by_label("First visit, if you know it").fill(soon(20))
    clinic.get_by_label("Your name").first.fill("Marta Lopez")
    press(clinic, "Send answer")
    counts(clinic, 0)
    phone.reload()
    reads(phone, "One thing for you")
    line = phone.get_by_role("region", name="Your referral")
    expect(line).to_contain_text("Opened by the clinic")
    expect(line).to_contain_text("Your next visit is on")
    expect(phone.get_by_role("region", name="My safety plan")).to_be_visible()
    both(phone, "client-home-visit")
    follow(phone, "Answer")
    both(phone, "client-referral")
    press(phone, "I will be there")
    expect(phone.get_by_text("Thank you. You said that you will be there.")).to_be_visible()
    phone.goto("/my/home/")
    reads(phone, "Nothing to do today")
    both(phone, "client-home-nothing")

    # After the visit: did you go? Then the clinic ticks, and a day later the nine questions.
    with time_machine.travel(timezone.now() + timedelta(hours=26)) as clock:
        phone = at_own_page(window(), sam)
        expect(phone.get_by_text("Did you go?")).to_be_visible()
        follow(phone, "Answer")
        both(phone, "client-did-you-go")
        press(phone, "Yes")
        expect(phone.get_by_text("Thank you. We know that you went.")).to_be_visible()
        come_in(clinic, link_in(mail), postbox)
        clinic.get_by_role("button", name=re.compile(r"^Mark done\W+Infusion 1$")).click()
        counts(clinic, 1)
        clock.shift(timedelta(hours=24))
        assert measures.send_due(at=timezone.now()) == 1
        texts = Notice.objects.filter(client=sam, template="check_in", channel="sms")
        assert texts.count() == 1
        phone = at_own_page(window(), sam)
        both(phone, "client-home-questions")
        began = time.monotonic()
        with phone.expect_navigation():
            follow(phone, "Open the questions")
        assert nine_questions(phone) == 9
        assert time.monotonic() - began < NINE_S
        both(phone, "client-after-infusion-sent")

        # 5 again, ux 19: two presses, and the page that the clinic has open is taken back within five seconds.
        come_in(clinic, link_in(mail), postbox)
        phone = at_own_page(window(), sam)
        phone.goto("/my/permissions/")
        hand = Hand(phone)
        hand.follow("Stop sharing with Northlake Infusion")
        both(phone, "client-stop-sharing")
        hand.press("Stop sharing with Northlake Infusion")
        began = time.monotonic()
        expect(phone.get_by_role("status")).to_contain_text("They cannot open it any more.")
        clinic.reload()
        reads(clinic, "Cedar House has taken this back")
        assert (hand.clicks, time.monotonic() - began < TOLD_S) == (2, True)
        both(clinic, "clinic-taken-back")
        referral.refresh_from_db()
        assert referral.release is not None and referral.release.revoked_at is not None


def contacted(maya: User, sam: Client) -> None:
    at = timezone.now()
    alert = sam.alerts.get(closed_at=None)
    record_contact(
        by=maya, alert=alert, recorded_at=at, reached="yes", at=at, level="moderate", action="Went through the plan",
        plan="Call tomorrow", next_check_at=at + timedelta(days=1),
    )  # fmt: skip


def plan(maya: User, sam: Client) -> None:
    at = timezone.now()
    row = SafetyPlan(
        client=sam, number=1, started_at=at, started_by=maya, finished_at=at, finished_by=maya, given_at=at,
        means="done", review_on=timezone.localdate(at) + timedelta(days=30),
    )  # fmt: skip
    row.steps = {"own-coping": [{"text": "Walk to the river"}]}
    row.save(force_insert=True)


def nine_questions(phone: Page) -> int:
    """Answer each question of the form with its first answer, and send it. Returns how many it asked."""
    asked = 0
    while "/my/check/" not in phone.url:
        with phone.expect_navigation():
            if "/my/q/" in phone.url:
                asked += 1
                phone.get_by_role("radio").first.check()
                press(phone, "Continue")
            else:
                phone.locator("main button.btn").first.click()
    press(phone, "Send my answers to Maya")
    return asked


def handed_over(hand: Hand) -> None:
    hand.page.get_by_label("With whom at the clinic did you speak?").fill("Marta Lopez")
    hand.page.get_by_label("When are you next in touch with the client?").fill(day(2))
    hand.press("Save the hand-off")


def counts(clinic: Page, done: int) -> None:
    expect(clinic.get_by_role("heading", level=1)).to_have_text(re.compile(rf": {done} of 6 infusions done$"))
