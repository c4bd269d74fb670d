"""A client with a plan, on their phone: the days ahead, and words that are theirs until they share them (H12)."""

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from practice.kap import intentions
from practice.kap.models import Plan, Session
from practice.models import Client, User
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import at_own_page, follow, press, reads


def test_client_reads_the_plan_writes_an_intention_and_shares_it(
    window: Window, look: Look, both: Look, maya: User, sam: Client
) -> None:
    now = timezone.now()
    plan = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=now.date(), therapist=maya)
    rows = [
        Session.objects.create(
            plan=plan, kind=kind, number=number, starts_at=now + timedelta(days=days), minutes=180, therapist=maya,
            state=state, room="Blue room",
        )
        for kind, number, days, state in (
            ("preparation", 1, -9, "done"), ("dosing", 1, -7, "done"), ("dosing", 2, 3, "planned"),
            ("integration", 1, 4, "planned"), ("dosing", 3, 10, "waiting"),
        )
    ]  # fmt: skip
    phone = window()
    at_own_page(phone, sam)
    look(phone, "myplan-01-home")
    follow(phone, "Open your plan")
    reads(phone, "Your plan")
    both(phone, "myplan-02-plan")
    phone.get_by_role("link", name=re.compile("Write something for yourself.*Ketamine session")).click()
    phone.get_by_label("What would you like from this session?").fill("To let go of the house")
    expect(phone.get_by_text("Saved at")).to_be_visible()
    look(phone, "myplan-03-words")
    assert intentions.shared(rows[2]) == []
    press(phone, "Share with Maya")
    expect(phone.get_by_text("Saved. Maya can read it now.")).to_be_visible()
    look(phone, "myplan-04-shared")
    assert [row.words for row in intentions.shared(rows[2])] == ["To let go of the house"]
    press(phone, "Stop sharing with Maya")
    expect(phone.get_by_text("Saved. It is yours alone again.")).to_be_visible()
    assert intentions.shared(rows[2]) == []
