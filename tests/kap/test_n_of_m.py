"""How far a series is, "n of m": the caseload, the plan, and the client's own page say the same (H18)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser

from practice.kap.actions import plans, room
from practice.kap.models import Plan, Session
from practice.models import Client, User
from tests.conftest import sign_in
from tests.factories import NOW
from tests.homes import at_home


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def plan(sam: Client, maya: User) -> Plan:
    made = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=NOW.date(), therapist=maya)
    for number in (1, 2, 3):
        starts = NOW + timedelta(days=7 * (number - 1))
        Session.objects.create(plan=made, kind="dosing", number=number, starts_at=starts, therapist=maya)
    return made


def shown(browser: Browser, sam: Client, maya: User) -> tuple[bool, ...]:
    """Whether one and the same count stands on caseload, chart, plans and plan, and on both pages of the client."""
    plan = Plan.objects.get()
    done = plan.sessions.filter(kind="dosing", state="done").count()
    staff = sign_in(Browser(), maya)
    counted = f"{done} of {plan.planned}"
    pages = [staff.get(url) for url in ("/caseload/", sam.get_absolute_url(), "/plans/", plan.get_absolute_url())]
    return tuple(
        [counted in page.content.decode() for page in pages]
        + [
            f"{counted} ketamine sessions done." in browser.get(url).content.decode()
            for url in ("/my/home/", "/my/plan/")
        ]
    )


def test_every_page_counts_alike_as_the_series_goes_on(sam: Client, maya: User, plan: Plan) -> None:
    plans.refresh(sam, NOW)
    browser = at_home(sam)
    assert (sam.plan_note, shown(browser, sam, maya)) == ("0 of 3", (True,) * 6)
    first = plan.sessions.get(number=1)
    Session.objects.filter(pk=first.pk).update(state="started")
    room.sign(by=maya, session=first, words="Checked by eye", at=NOW)
    sam.refresh_from_db()
    assert (sam.plan_note, shown(browser, sam, maya)) == ("1 of 3", (True,) * 6)
    plans.skip(by=maya, session=plan.sessions.get(number=3), said="Enough", at=NOW)
    sam.refresh_from_db()
    assert (sam.plan_note, shown(browser, sam, maya)) == ("1 of 2", (True,) * 6)
    starts = NOW + timedelta(days=30)
    plans.add(by=maya, plan=plan, kind="integration", starts_at=starts, said="", at=NOW)
    sam.refresh_from_db()
    assert (sam.plan_note, shown(browser, sam, maya)) == ("1 of 2", (True,) * 6)
