"""The prescriber is told that a plan waits for them: without a word about the client, once per plan and day."""

from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans
from practice.kap.models import Plan
from practice.models import Client, User
from practice.models.jobs import Notice
from tests.factories import NOW

DAY = timedelta(days=1)


@pytest.fixture
def of_pax(sam: Client, pax: User) -> Client:
    sam.prescriber = pax
    sam.save(update_fields=["prescriber"])
    return sam


def made(maya: User, sam: Client) -> Plan:
    return plans.make(
        by=maya, client=sam, template=templates()["weekly"], first=date(2026, 12, 2), clock=time(9), therapist=maya,
        room="", count=3, at=NOW,
    )  # fmt: skip


def told() -> list[Notice]:
    return list(Notice.objects.filter(template="plan_waits"))


def test_prescriber_is_told_with_the_link_alone(maya: User, pax: User, of_pax: Client) -> None:
    plan = made(maya, of_pax)
    (notice,) = told()
    assert (notice.user, notice.client) == (pax, None)
    assert list(notice.words) == ["link"] and notice.words["link"].endswith(plan.get_absolute_url())


def test_each_plan_is_told_once_a_day(maya: User, of_pax: Client) -> None:
    plan, counted = made(maya, of_pax), []
    for at in (NOW + timedelta(minutes=1), NOW + DAY, NOW + DAY + timedelta(minutes=1)):
        last = plan.sessions.filter(kind="dosing").latest("starts_at")
        plans.move(by=maya, session=last, starts_at=last.starts_at + timedelta(hours=1), said="", at=at)
        counted.append(len(told()))
    assert counted == [1, 2, 2]


def test_added_dose_that_waits_is_told(maya: User, pax: User, of_pax: Client) -> None:
    clearance.grant(
        by=pax, client=of_pax, doses=3, until=date(2027, 6, 1), most_mg=Decimal(100), route="sublingual", words="",
        at=NOW,
    )  # fmt: skip
    plan = made(maya, of_pax)
    assert told() == []
    last = plan.sessions.latest("starts_at")
    plans.add(by=maya, plan=plan, kind="dosing", starts_at=last.starts_at + 7 * DAY, said="", at=NOW)
    assert len(told()) == 1


@pytest.mark.parametrize("has_left", [True, False])
def test_nobody_is_told_without_an_active_prescriber(maya: User, pax: User, of_pax: Client, has_left: bool) -> None:
    if has_left:
        pax.is_active = False
        pax.save(update_fields=["is_active"])
    else:
        of_pax.prescriber = None
        of_pax.save(update_fields=["prescriber"])
    made(maya, of_pax)
    assert told() == []
