"""Plans of our own care, in the browser (browser checks 30 and 31)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from practice.kap.actions import clearance, plans
from practice.kap.models import Plan, Session
from practice.models import Client, User
from tests import factories
from tests.journeys.conftest import DESK, PHONE, Look, Window

State = Session.State


def cleared(pax: User, sam: Client, doses: int) -> None:
    now = timezone.now()
    clearance.grant(
        by=pax, client=sam, doses=doses, until=(now + timedelta(days=180)).date(), most_mg=Decimal(100),
        route="sublingual", words="", at=now,
    )  # fmt: skip


def saturday() -> date:
    """One of the weeks to come."""
    today = factories.today() + timedelta(days=20)
    return today + timedelta(days=(5 - today.weekday()) % 7)


@pytest.mark.parametrize("script", [True, False])
def test_weekly_plan_of_eight_is_seen_before_it_is_made(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client, script: bool
) -> None:
    """Browser check 30, first half: a calendar before anything is saved, and what is missing in words."""
    cleared(pax, sam, 6)
    page = staff_window(maya, DESK, script=script)
    page.goto(reverse("chart", args=[sam.pk]))
    page.get_by_role("link", name="Plan KAP", exact=True).click()
    page.get_by_role("link", name="Weekly series").click()
    page.get_by_label("Doses of the series").fill("8")
    page.get_by_role("button", name="Show the calendar").click()
    expect(page.get_by_text("Dosing 7, 8: more doses than the prescriber cleared.")).to_be_visible()
    expect(page.locator(".cal li.dosing")).to_have_count(8)
    expect(page.locator(".cal li.integration")).to_have_count(8)
    assert Plan.objects.count() == 0
    if script:
        look(page, "plan-new")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name="Weekly series")).to_be_visible()
    expect(page.get_by_text("0 of 8 doses done")).to_be_visible()
    doses = Session.objects.filter(kind=Session.Kind.DOSING).values_list("state", flat=True)
    assert list(doses) == [State.PLANNED] * 6 + [State.WAITING] * 2
    if script:
        look(page, "plan")


def test_weekend_of_two_doses_asks_for_the_prescribers_reason(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    """Browser check 30, second half."""
    cleared(pax, sam, 2)
    page = staff_window(maya, PHONE)
    page.goto(reverse("plan_new", args=[sam.pk]))
    page.get_by_role("link", name="Weekend, two days in a row").click()
    page.get_by_label("First dose on").fill(saturday().isoformat())
    page.get_by_role("button", name="Show the calendar").click()
    expect(page.get_by_text("less than 48 hours after another dose. A prescriber's recorded reason")).to_be_visible()
    look(page, "plan-new-weekend")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_text("Part of it waits for the prescriber.")).to_be_visible()
    plan = Plan.objects.get()
    theirs = staff_window(pax, DESK)
    theirs.goto("/plans/?tab=waits")
    theirs.get_by_role("link", name="Sam Whitehorse").click()
    theirs.get_by_label("less than 48 hours after another dose").check()
    theirs.get_by_label("The reason").fill("Stays overnight with her sister.")
    look(theirs, "plan-override")
    theirs.get_by_role("button", name="Keep the reason").click()
    expect(theirs.get_by_text("Limit lifted by the prescriber")).to_be_visible()
    assert set(plan.sessions.values_list("state", flat=True)) == {State.PLANNED}


def test_doses_are_cleared_and_what_waited_is_booked_with_one_press(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    page = staff_window(maya, PHONE)
    page.goto(reverse("plan_new", args=[sam.pk]))
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_text("no prescriber has cleared a dose").first).to_be_visible()
    theirs = staff_window(pax, PHONE)
    theirs.goto(reverse("clearance", args=[sam.pk]))
    expect(theirs.get_by_text("No dose is cleared")).to_be_visible()
    theirs.get_by_label("How many doses").fill("6")
    theirs.get_by_label("Until").fill((factories.today() + timedelta(days=90)).isoformat())
    theirs.get_by_label("Largest single dose").fill("0.1")
    theirs.get_by_label("Route").select_option("sublingual")
    theirs.get_by_role("button", name="Clear these doses").click()
    expect(theirs.get_by_text("Write the dose in milligrams, not in grams.").first).to_be_visible()
    look(theirs, "clearance-error")
    theirs.get_by_label("Largest single dose").fill("100")
    theirs.get_by_role("button", name="Clear these doses").click()
    expect(theirs.get_by_text("booked from the plan's page, with one press")).to_be_visible()
    look(theirs, "clearance")
    page.reload()
    page.get_by_role("button", name="Book what is cleared").click()
    expect(page.get_by_text("12 sessions booked.")).to_be_visible()
    look(page, "plan-booked")


def test_intensive_that_ends_in_july_is_listed_before_its_booster(
    staff_window: Window, look: Look, maya: User, pax: User, sam: Client
) -> None:
    """Browser check 31: due Jan 19, window Dec 20 to Feb 18, listed 45 days before."""
    plan = Plan.objects.create(
        client=sam, shape=Plan.Shape.INTENSIVE, planned=2, started_on=date(2026, 7, 18), therapist=maya
    )
    for number, day in enumerate((18, 19), 1):
        Session.objects.create(
            plan=plan, kind=Session.Kind.DOSING, number=number, state=State.DONE,
            starts_at=datetime(2026, 7, day, 14, tzinfo=UTC),
        )  # fmt: skip
    with time_machine.travel(datetime(2026, 7, 20, 14, tzinfo=UTC), tick=True):
        plans.end(by=maya, plan=plan, state=Plan.State.DONE, said="Both days went well.", at=timezone.now())
        page = staff_window(maya, DESK)
        page.goto(reverse("chart", args=[sam.pk]))
        expect(page.get_by_text("Due Jan 19, 2027, window Dec 20, 2026 to Feb 18, 2027")).to_be_visible()
    for day, listed in ((4, 0), (5, 1)):
        with time_machine.travel(datetime(2026, 12, day, 15, tzinfo=UTC), tick=True):
            page = staff_window(maya, DESK)
            page.goto("/plans/?tab=boosters")
            expect(page.locator("tr.r")).to_have_count(listed)
            if listed:
                expect(page.locator("tr.r")).to_contain_text(
                    "Booster due Jan 19, 2027, window Dec 20, 2026 to Feb 18, 2027. Not planned yet."
                )
                look(page, "plans-boosters")
