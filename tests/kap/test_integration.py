"""A dose without integration within seven days (H13): told once, gone when an integration is signed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from practice import jobs, schedule
from practice.kap.actions import integration, plans, room
from practice.kap.models import Plan, Session
from practice.models import AuditEvent, Client, Task, User
from practice.words import why
from tests.factories import NOW

State = Session.State
WEEK, MINUTE = timedelta(days=7), timedelta(minutes=1)


@pytest.fixture
def plan(sam: Client) -> Plan:
    return Plan.objects.create(client=sam, shape="weekly", planned=4, started_on=NOW.date())


def dose(plan: Plan, number: int = 1, days: int = 0, state: str = State.DONE) -> Session:
    starts = NOW + timedelta(days=days)
    signed = starts if state == State.DONE else None
    return Session.objects.create(
        plan=plan, kind="dosing", number=number, starts_at=starts, state=state, signed_at=signed
    )


def integrate(plan: Plan, days: int, state: str = State.DONE) -> Session:
    return Session.objects.create(
        plan=plan, kind="integration", number=1, starts_at=NOW + timedelta(days=days), state=state
    )


def open_items(sam: Client) -> list[Task]:
    return list(Task.objects.filter(client=sam, kind="kap_integrate", done_at=None))


def test_dose_is_flagged_after_seven_days_and_once(plan: Plan, sam: Client) -> None:
    row = dose(plan)
    assert [integration.watch(at=NOW + WEEK + n * MINUTE) for n in (-1, 0, 1)] == [0, 1, 0]
    (task,) = open_items(sam)
    assert task.facts == {"days": 7, "late": True, "on": NOW.date().isoformat(), "doses": [str(row.pk)]}
    assert (task.subject_id, task.due_at) == (plan.pk, NOW + WEEK)
    assert why(task) == "No integration since the dose on Thu Nov 19."
    assert AuditEvent.objects.filter(action="integration.missed", client_id=sam.pk).count() == 1


def test_item_that_was_open_is_freshened(plan: Plan, sam: Client) -> None:
    dose(plan)
    Task.open(sam, "kap_integrate", at=NOW, subject_id=plan.pk, due_at=NOW + timedelta(hours=72))
    assert why(open_items(sam)[0]) == "A dose was given; no integration within 72 hours is booked."
    integration.watch(at=NOW + WEEK)
    (task,) = open_items(sam)
    assert task.facts["late"] is True


def test_item_that_was_finished_does_not_come_back_for_the_same_dose(plan: Plan, sam: Client) -> None:
    dose(plan)
    integration.watch(at=NOW + WEEK)
    Task.finish(sam, "kap_integrate", at=NOW + WEEK, by=None)
    assert integration.watch(at=NOW + 2 * WEEK) == 0
    dose(plan, number=2, days=7)
    assert integration.watch(at=NOW + 2 * WEEK) == 1
    (task,) = open_items(sam)
    assert len(task.facts["doses"]) == 2


@pytest.mark.parametrize(
    ("days", "state", "told"),
    [(2, State.DONE, 0), (2, State.PLANNED, 1), (2, State.SKIPPED, 1), (2, State.STARTED, 1), (-1, State.DONE, 1)],
)
def test_only_an_integration_that_was_done_after_it_counts(plan: Plan, days: int, state: str, told: int) -> None:
    dose(plan)
    integrate(plan, days, state)
    assert integration.watch(at=NOW + WEEK) == told


@pytest.mark.parametrize(("state", "told"), [(State.STARTED, 1), (State.PLANNED, 0), (State.MISSED, 0)])
def test_only_a_dose_that_was_given_counts(plan: Plan, state: str, told: int) -> None:
    dose(plan, state=state)
    assert integration.watch(at=NOW + WEEK) == told


def test_dose_recorded_from_elsewhere_is_not_watched(plan: Plan) -> None:
    row = dose(plan)
    Session.objects.filter(pk=row.pk).update(signed_at=None)
    assert integration.watch(at=NOW + WEEK) == 0


@pytest.mark.parametrize("status", [Client.Status.DISCHARGED, Client.Status.DIED])
def test_nobody_is_told_of_a_client_who_left(plan: Plan, sam: Client, status: str) -> None:
    dose(plan)
    Client.objects.filter(pk=sam.pk).update(status=status)
    assert integration.watch(at=NOW + WEEK) == 0


def test_signing_an_integration_finishes_the_item(plan: Plan, sam: Client, maya: User) -> None:
    dose(plan)
    integration.watch(at=NOW + WEEK)
    late = integrate(plan, 8, State.STARTED)
    room.sign(by=maya, session=late, words="", at=NOW + timedelta(days=8))
    assert open_items(sam) == []
    assert integration.watch(at=NOW + 2 * WEEK) == 0


def test_job_runs_once_a_day() -> None:
    assert [row.every_s for row in schedule.PERIODIC if row.kind == "watch_integration"] == [86400]


def test_job_is_registered(db: None) -> None:
    assert jobs.load_kinds()["watch_integration"]("") is None


# --- Booked, kept, or spoken of (also by another plan)


def at(days: float) -> datetime:
    return NOW + timedelta(days=days)


def opened(plan: Plan, sam: Client, days: float = 0) -> None:
    Task.open(sam, "kap_integrate", at=at(days), subject_id=plan.pk, due_at=at(days + 3))


@pytest.mark.parametrize(
    ("now", "booked", "finished"),
    [
        (1, 2, True),
        (1, 3, True),
        (1, 3.1, False),  # there is still time for one within 72 hours
        (4, 6, True),
        (4, 8, False),  # the next dose comes first
        (4, 3.5, False),  # its time has passed, and nobody wrote that it was kept
    ],
)
def test_integration_that_is_booked_before_the_next_dose_finishes_the_item(
    plan: Plan, sam: Client, now: float, booked: float, finished: bool
) -> None:
    dose(plan)
    dose(plan, number=2, days=7, state=State.PLANNED)
    opened(plan, sam)
    other = Plan.objects.create(client=sam, shape="booster", planned=1, started_on=NOW.date())
    Session.objects.create(plan=other, kind="integration", number=1, starts_at=at(booked))
    plans.refresh(sam, at(now))
    assert (open_items(sam) == []) is finished


def test_one_that_waits_for_the_prescriber_is_not_booked(plan: Plan, sam: Client) -> None:
    dose(plan)
    opened(plan, sam)
    integrate(plan, 2, State.WAITING)
    plans.refresh(sam, at(1))
    assert len(open_items(sam)) == 1


def test_integration_kept_in_another_plan_finishes_the_item(plan: Plan, sam: Client, maya: User) -> None:
    dose(plan)
    opened(plan, sam)
    other = Plan.objects.create(client=sam, shape="booster", planned=1, started_on=NOW.date())
    room.sign(by=maya, session=integrate(other, 2, State.STARTED), words="", at=at(2))
    (task,) = Task.objects.filter(client=sam, kind="kap_integrate")
    assert (task.done_at, task.done_by, task.facts) == (at(2), maya, {"booked": False})


def test_item_comes_back_when_the_booked_integration_falls_away(plan: Plan, sam: Client, maya: User) -> None:
    dose(plan)
    opened(plan, sam)
    booked = integrate(plan, 2, State.PLANNED)
    plans.refresh(sam, at(1))
    assert open_items(sam) == []
    plans.skip(by=maya, session=booked, said="Ill", at=at(1.5))
    (task,) = open_items(sam)
    assert (task.subject_id, task.due_at) == (plan.pk, at(3))


def test_late_flag_that_a_booking_cleared_comes_back_when_nobody_kept_it(plan: Plan, sam: Client, maya: User) -> None:
    dose(plan)
    assert integration.watch(at=at(7)) == 1
    booked = integrate(plan, 9, State.PLANNED)
    plans.refresh(sam, at(7.5))
    assert open_items(sam) == []
    assert [integration.watch(at=at(n)) for n in (8, 10, 11)] == [0, 1, 0]
    assert len(open_items(sam)) == 1
    Session.objects.filter(pk=booked.pk).update(state=State.STARTED)
    room.sign(by=maya, session=booked, words="", at=at(11))
    assert open_items(sam) == []


def test_words_of_a_contact_finish_it_for_good(
    plan: Plan, sam: Client, maya: User, as_user: Callable[[User], Any], post: Callable[..., Any]
) -> None:
    dose(plan)
    integration.watch(at=at(7))
    (task,) = open_items(sam)
    with time_machine.travel(at(7.5), tick=False):
        answer = post(as_user(maya), f"/clients/{sam.pk}/tasks/{task.pk}/", {"words": "Spoke for 20 minutes."})
    assert answer.status_code == 302
    assert open_items(sam) == []
    plans.refresh(sam, at(8))
    assert (integration.watch(at=at(14)), open_items(sam)) == (0, [])


def test_dose_looks_for_integration_in_every_plan(plan: Plan, sam: Client, maya: User) -> None:
    row = dose(plan, state=State.STARTED)
    other = Plan.objects.create(client=sam, shape="booster", planned=1, started_on=NOW.date())
    Session.objects.create(plan=other, kind="integration", number=1, starts_at=at(2))
    line = {"key": str(uuid4()), "kind": "dose", "facts": {"mg": "100", "route": "sublingual", "given": True}}
    assert room.record(session=row, sent=[line], at=NOW, by=maya)[0].sentence == ""
    assert open_items(sam) == []
