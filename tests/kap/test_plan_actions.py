"""Making and changing a plan (H1, H2, H4, H5, H18, H19): what is booked, what waits, and why."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from intake.models import Measure
from practice.actions import NotNow
from practice.clinical import kap
from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans
from practice.kap.models import Absence, ClientAbsence, Plan, PlanChange, Session
from practice.models import Client, User
from tests.factories import NOW

FIRST = date(2026, 12, 2)
NINE = time(9)
State = Session.State
MINUTE = timedelta(minutes=1)


def cleared(pax: User, sam: Client, doses: int = 6, until: date = date(2027, 6, 1)) -> None:
    clearance.grant(
        by=pax, client=sam, doses=doses, until=until, most_mg=Decimal(100), route="sublingual", words="", at=NOW
    )


def made(maya: User, sam: Client, template: str = "weekly", **said: Any) -> Plan:
    told = {"first": FIRST, "clock": NINE, "therapist": maya, "room": "Blue room", "count": None}
    if template == "weekly":
        told["count"] = 3
    return plans.make(by=maya, client=sam, template=templates()[template], at=NOW, **(told | said))


def told(plan: Plan) -> list[tuple[str, int, str]]:
    return [(row.kind, row.number, row.state) for row in plan.sessions.all()]


def at_nine(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 14, tzinfo=NOW.tzinfo)  # 9:00 in New York in winter


def test_plan_is_made_whole_and_stands_on_the_caseload(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    assert {row.state for row in plan.sessions.all()} == {State.PLANNED}
    assert [kind for kind, _, _ in told(plan)] == ["preparation", *["dosing", "integration"] * 3]
    sam.refresh_from_db()
    assert (sam.plan_name, sam.plan_note) == ("KAP weekly", "0 of 3")
    assert sam.next_session_at == plan.sessions.get(kind="preparation").starts_at
    assert [change.what for change in plan.changes.all()] == ["made"]
    due = [row.due_at for row in Measure.objects.filter(client=sam, subject_id=plan.pk)]
    assert due == [row.starts_at - timedelta(days=1) for row in plan.sessions.filter(kind="dosing")]


def test_doses_past_the_clearance_wait_and_are_booked_when_it_comes(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam, doses=2)
    plan = made(maya, sam)
    assert [(n, s) for kind, n, s in told(plan) if kind == "dosing"] == [
        (1, State.PLANNED), (2, State.PLANNED), (3, State.WAITING),
    ]  # fmt: skip
    assert [(n, s) for kind, n, s in told(plan) if kind == "integration"][-1] == (3, State.WAITING)
    with pytest.raises(NotNow, match=r"more doses than the prescriber cleared\. A prescriber's clearance"):
        plans.book_more(by=maya, plan=plan, at=NOW)
    cleared(pax, sam, doses=4)
    assert plans.book_more(by=maya, plan=plan, at=NOW) == 2
    assert {s for _, _, s in told(plan)} == {State.PLANNED}


def test_plan_without_any_clearance_has_its_preparation_only(maya: User, sam: Client) -> None:
    plan = made(maya, sam)
    assert {kind for kind, _, s in told(plan) if s == State.PLANNED} == {"preparation"}


def test_two_plans_do_not_use_one_clearance_twice(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam, doses=3)
    made(maya, sam)
    second = made(maya, sam, first=date(2027, 2, 3))
    assert {s for kind, _, s in told(second) if kind == "dosing"} == {State.WAITING}


def test_weekend_of_two_doses_waits_for_the_prescribers_reason(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam, "intensive-weekend", first=date(2026, 12, 5))
    assert [(n, s) for kind, n, s in told(plan) if kind == "dosing"] == [(1, State.PLANNED), (2, State.WAITING)]
    with pytest.raises(NotNow, match=r"less than 48 hours after another dose\. A prescriber's recorded reason"):
        plans.book_more(by=maya, plan=plan, at=NOW)
    for codes, words, sentence in (
        ([], "x", "Choose"),
        (["busy"], "x", "Choose"),
        ([kap.UNDER_48_HOURS], " ", "reason"),
    ):
        with pytest.raises(NotNow, match=sentence):
            plans.override(by=pax, plan=plan, codes=codes, said=words, at=NOW)
    why = "Stays overnight with her sister"
    plans.override(by=pax, plan=plan, codes=[kap.UNDER_48_HOURS], said=why, at=NOW + MINUTE)
    assert {s for _, _, s in told(plan)} == {State.PLANNED}
    assert plan.changes.first().words == why  # type: ignore[union-attr]


def test_taken_therapist_room_and_absences_are_refused_by_name(
    maya: User, omar: User, pax: User, sam: Client, kit: Client
) -> None:
    for client in (sam, kit):
        cleared(pax, client)
    made(omar, kit)
    with pytest.raises(NotNow, match=r"the room is taken\. Choose another time"):
        made(maya, sam)
    with pytest.raises(NotNow, match="the therapist has another session then"):
        made(omar, sam, room="Green room", therapist=omar)
    Absence.objects.create(user=maya, first_on=FIRST, last_on=FIRST)
    with pytest.raises(NotNow, match="the therapist is away"):
        made(maya, sam, room="Green room")
    Absence.objects.all().delete()
    ClientAbsence.objects.create(client=sam, first_on=FIRST, last_on=FIRST)
    with pytest.raises(NotNow, match="the client is away"):
        made(maya, sam, room="Green room")
    assert Plan.objects.filter(client=sam).count() == 0


def test_plan_in_the_past_or_for_somebody_who_left_is_refused(maya: User, sam: Client) -> None:
    with pytest.raises(NotNow, match="begin in the past"):
        made(maya, sam, first=NOW.date() - timedelta(days=1))
    sam.status = Client.Status.DISCHARGED
    with pytest.raises(NotNow, match="was discharged"):
        made(maya, sam)


def test_moved_session_keeps_who_and_why_and_moves_its_measure(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    second = plan.sessions.get(kind="dosing", number=2)
    later = second.starts_at + timedelta(days=3)
    why = "Her shift changed"
    row = plans.move(by=maya, session=second, starts_at=later, said=why, at=NOW + MINUTE, seen=plan.version)
    assert (row.starts_at, row.sequence, row.state) == (later, 1, State.PLANNED)
    change = plan.changes.first()
    assert change is not None
    assert (change.what, change.by, change.words) == (PlanChange.What.MOVED, maya, why)
    integration = plan.sessions.get(kind="integration", number=2)
    assert integration.starts_at == later + timedelta(days=1)
    open_ = Measure.objects.filter(client=sam, stopped_at=None).values_list("due_at", flat=True)
    assert later - timedelta(days=1) in open_ and second.starts_at - timedelta(days=1) not in open_


def test_second_editor_is_told_and_changes_nothing(maya: User, sol: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    seen = plan.version
    dose = plan.sessions.get(kind="dosing", number=3)
    plans.move(by=maya, session=dose, starts_at=dose.starts_at + timedelta(days=1), said="", at=NOW, seen=seen)
    with pytest.raises(NotNow, match="Somebody changed this plan"):
        plans.skip(by=sol, session=dose, said="Not needed", at=NOW, seen=seen)
    dose.refresh_from_db()
    assert dose.state == State.PLANNED


def test_move_that_crowds_doses_waits_and_one_that_collides_is_refused(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    first, second = plan.sessions.filter(kind="dosing")[:2]
    with pytest.raises(NotNow, match="no integration session since the dose before"):
        plans.move(by=maya, session=second, starts_at=first.starts_at + timedelta(hours=4), said="", at=NOW)
    row = plans.move(by=maya, session=second, starts_at=first.starts_at + timedelta(hours=40), said="", at=NOW)
    assert row.state == State.WAITING
    with pytest.raises(NotNow, match="That time has passed"):
        plans.move(by=maya, session=row, starts_at=NOW - timedelta(hours=1), said="", at=NOW)


def test_signed_or_finished_session_stays_where_it_is(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    dose = plan.sessions.get(kind="dosing", number=1)
    Session.objects.filter(pk=dose.pk).update(signed_at=NOW, signed_by=maya)
    with pytest.raises(NotNow, match="is signed"):
        plans.move(by=maya, session=dose, starts_at=dose.starts_at + timedelta(days=1), said="", at=NOW)
    Session.objects.filter(pk=dose.pk).update(signed_at=None, signed_by=None, state=State.DONE)
    with pytest.raises(NotNow, match="not ahead any more"):
        plans.skip(by=maya, session=dose, said="x", at=NOW)


def test_session_is_added_skipped_and_missed(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    extra = plans.add(by=maya, plan=plan, kind="integration", starts_at=at_nine(date(2026, 12, 30)), said="", at=NOW)
    assert (extra.number, extra.minutes, extra.state) == (4, 60, State.PLANNED)
    with pytest.raises(NotNow, match="Write why"):
        plans.skip(by=maya, session=extra, said=" ", at=NOW)
    plans.skip(by=maya, session=extra, said="Phoned instead", at=NOW)
    preparation = plan.sessions.get(kind="preparation")
    with pytest.raises(NotNow, match="still ahead"):
        plans.skip(by=maya, session=preparation, said="x", at=NOW, missed=True)
    with pytest.raises(NotNow, match="no preparation session before the first dose"):
        plans.skip(by=maya, session=preparation, said="Did it by phone", at=NOW)
    last = plan.sessions.get(kind="dosing", number=3)
    plans.skip(by=maya, session=last, said="She was ill", at=last.starts_at + timedelta(hours=1), missed=True)
    last.refresh_from_db()
    assert last.state == State.MISSED


def test_stopping_needs_words_and_sends_the_end_measure(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    with pytest.raises(NotNow, match="Write why the plan ends"):
        plans.end(by=maya, plan=plan, state=Plan.State.STOPPED, said="", at=NOW)
    Session.objects.filter(plan=plan, kind="dosing", number=1).update(state=State.DONE)
    at = at_nine(date(2026, 12, 11))
    plans.end(by=maya, plan=plan, state=Plan.State.STOPPED, said="She moves away", at=at)
    assert (plan.state, plan.end_words, plan.ended_by) == (Plan.State.STOPPED, "She moves away", maya)
    assert not plan.sessions.filter(state__in=Session.AHEAD).exists()
    due = list(Measure.objects.filter(client=sam, stopped_at=None, sent_at=None).values_list("due_at", flat=True))
    in_summer = at_nine(date(2027, 6, 11)) - timedelta(hours=1)  # the same clock time, an hour earlier by the sun
    assert due == [at, at_nine(date(2027, 1, 11)), at_nine(date(2027, 3, 11)), in_summer]
    sam.refresh_from_db()
    assert (sam.plan_name, sam.next_session_at) == ("", None)
    with pytest.raises(NotNow, match="has ended"):
        plans.end(by=maya, plan=plan, state=Plan.State.DONE, said="again", at=at)


def test_booster_counts_from_the_last_dose_and_keeps_its_window(maya: User, pax: User, sam: Client) -> None:
    cleared(pax, sam, until=date(2028, 1, 1))
    past = Plan.objects.create(client=sam, shape="intensive", started_on=date(2026, 7, 18), state=Plan.State.DONE)
    Session.objects.create(
        plan=past, kind="dosing", number=1, starts_at=datetime(2026, 7, 19, 13, tzinfo=NOW.tzinfo), state=State.DONE
    )
    plan = made(maya, sam, "booster", first=date(2027, 1, 19), follows=past)
    assert (plan.anchor_on, plan.due_on, plan.follows) == (date(2026, 7, 19), date(2027, 1, 19), past)
    assert {s for _, _, s in told(plan)} == {State.PLANNED}
    early = made(maya, sam, "booster", first=date(2026, 12, 8), follows=past)
    assert [s for kind, _, s in told(early) if kind == "dosing"] == [State.WAITING]
