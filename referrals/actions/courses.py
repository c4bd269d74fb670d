"""What follows from a session elsewhere: therapy here, the questions after it, and the end of the course (C4, G26).

A clinic's report restarts the clock: what is still to be sent is worked out anew from the sessions as they stand, so
that a report that is taken back leaves nothing behind.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from intake import measures, schedules
from intake.models import Measure
from practice import audit
from practice.clinical import follow_up, infusion
from practice.models import Client, Practice, Task, User
from referrals.models import Course, CourseSession, Referral
from referrals.states import State

Why = Measure.Why
NINE_QUESTIONS, LOOKING_BACK = "after-infusion", "after-course"
DAY = timedelta(days=1)
NOON = time(12)  # of a session whose clock time the clinic did not give
DONE, PLANNED = CourseSession.State.DONE, CourseSession.State.PLANNED


@transaction.atomic
def session_reported(referral: Referral, session: CourseSession, at: datetime) -> None:
    """An infusion was given: propose therapy within the window, end the short check-ins, restart the measures."""
    client, course = referral.client, session.course
    measures.stop_interim(by=None, client=client, subject_id=referral.decision_id, at=at)
    if client.status in Client.LEFT:
        return
    if is_over(course) and not session.is_maintenance:
        _back_to_therapy(referral, session, at)
    else:
        _propose_therapy(referral, session, at)
    replan(course, at)


@transaction.atomic
def session_taken_back(referral: Referral, session: CourseSession, at: datetime) -> None:
    """A report was a mistake, the session may still stand as done: what followed from it goes, unless it was acted on.

    When it was the first, the short check-ins go on as they were.
    """
    course = session.course
    for task in _open(referral, "integrate"):
        left = [number for number in task.facts.get("numbers", []) if number != session.number]
        _take_back(task, left, at)
    if not is_over(course, without=session):
        for task in _open(referral, "back_to_therapy"):
            _take_back(task, [], at)
    replan(course, at, without=session)
    if session.reported_at is not None and not _given(course, without=session):
        not_over(referral, ended_at=session.reported_at)


@transaction.atomic
def over(referral: Referral, *, by: User | None, at: datetime) -> None:
    """This referral, or its course, ended: without another one for the same decision, the short check-ins end too.

    They go on after a "no" until it is put away: somebody with suicidal thoughts waits for the next clinic meanwhile.
    An ended course of which something was given still brings its follow-up.
    """
    waits = referral.closed_at is None and referral.state not in (State.CANCELLED, State.COMPLETED)
    others = Referral.objects.open().filter(client=referral.client, decision=referral.decision_id)
    if not waits and not others.exclude(pk=referral.pk).exists():
        measures.stop_interim(by=by, client=referral.client, subject_id=referral.decision_id, at=at)
    course = Course.objects.filter(referral=referral).first()
    if course is not None and referral.client.status not in Client.LEFT:
        replan(course, at)


def not_over(referral: Referral, *, ended_at: datetime) -> None:
    """That end, or that first infusion, was a mistake: the short check-ins that it stopped go on as they were."""
    stopped = Measure.objects.filter(client=referral.client, why=Why.INTERIM, sent_at=None, stopped_at=ended_at)
    stopped.update(stopped_at=None)


def is_over(course: Course, *, without: CourseSession | None = None) -> bool:
    """Whether every planned infusion was given, or the course was ended."""
    given = [session for session in _given(course, without=without) if not session.is_maintenance]
    return len(given) >= course.planned or course.state == Course.State.STOPPED


def moment_of(session: CourseSession, zone: str) -> datetime:
    """When the session was, or is: the time that the clinic gave, else noon of its day where the practice is."""
    return session.at or datetime.combine(session.on, NOON, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def met(client: Client) -> list[schedules.Met]:
    """The infusions of this client, for what is sent before or after each."""
    zone = Practice.get().zone
    rows = CourseSession.objects.filter(course__client=client, state__in=(DONE, CourseSession.State.PLANNED))
    return [schedules.Met(moment_of(row, zone), row.state == DONE) for row in rows]


def _given(course: Course, *, without: CourseSession | None = None) -> list[CourseSession]:
    return [row for row in _sessions(course, without) if row.state == DONE]


def _sessions(course: Course, without: CourseSession | None) -> list[CourseSession]:
    rows = course.sessions.exclude(pk=without.pk) if without is not None else course.sessions.all()
    return list(rows.order_by("on", "number"))


# --- Therapy ---------------------------------------------------------------------------------------------------------


def _open(referral: Referral, kind: str) -> list[Task]:
    return list(Task.objects.filter(client=referral.client, kind=kind, subject_id=referral.pk, done_at=None))


def _hours_after(session: CourseSession, hours: int) -> datetime:
    return moment_of(session, Practice.get().zone) + timedelta(hours=hours)


def _propose_therapy(referral: Referral, session: CourseSession, at: datetime) -> None:
    """One open item for all infusions without contact since, due for the oldest of them."""
    waiting = next(iter(_open(referral, "integrate")), None)
    numbers = sorted({*(waiting.facts.get("numbers", []) if waiting else []), session.number})
    by = _hours_after(session, follow_up.THERAPY_BY_HOURS)
    Task.open(
        referral.client,
        "integrate",
        at=at,
        subject_id=referral.pk,
        owner=referral.client.therapist,
        due_at=min(by, waiting.due_at) if waiting and waiting.due_at else by,
        number=session.number,
        numbers=numbers,
        on=session.on.isoformat(),
        after=_hours_after(session, follow_up.THERAPY_FROM_HOURS).isoformat(),
        book=any(number in follow_up.THERAPY_BOOKED_AFTER for number in numbers),
    )
    audit.record("task.opened", by=None, client=referral.client, target=session, at=at, kind="integrate")


def _back_to_therapy(referral: Referral, session: CourseSession, at: datetime) -> None:
    Task.open(
        referral.client,
        "back_to_therapy",
        at=at,
        subject_id=referral.pk,
        owner=referral.client.therapist,
        due_at=_hours_after(session, follow_up.THERAPY_BY_HOURS),
        number=session.number,
    )
    audit.record("task.opened", by=None, client=referral.client, target=session, at=at, kind="back_to_therapy")


def _take_back(task: Task, numbers: list[int], at: datetime) -> None:
    """Leave the infusions that stand. An item for none of them never was: it would say that somebody had contact."""
    if numbers:
        task.facts |= {"numbers": numbers, "number": numbers[-1]}
        task.save(update_fields=["facts"])
    else:
        task.delete()
    task.client.refresh_rank()
    audit.record("task.taken_back", by=None, client=task.client, at=at, kind=task.kind)


# --- Measures --------------------------------------------------------------------------------------------------------


def replan(course: Course, at: datetime, *, without: CourseSession | None = None) -> None:
    """Work out anew what is still to be sent for this course, from its sessions as they stand."""
    measures.replan(course.client, course.pk, wanted(course, without=without), at=at)
    refresh(course.client)


def refresh(client: Client) -> None:
    """Put how far the infusions are onto the client, where the caseload reads it; a plan of our own keeps its place."""
    course = Course.objects.filter(client=client, state=Course.State.UNDER_WAY).exclude(referral=None).first()
    name, note = "", ""
    if course is not None:
        done = sum(not session.is_maintenance for session in _given(course))
        name, note = Course.NAME, gettext("{done} of {planned}").format(done=done, planned=course.planned)
    ours = Q(plan_name="") | Q(plan_name=Course.NAME)
    Client.objects.filter(ours, pk=client.pk).update(plan_name=name, plan_note=note)


def wanted(course: Course, *, without: CourseSession | None = None) -> list[tuple[str, str, datetime]]:
    """The forms that follow this course: after each infusion, on each re-score day, and when it is over.

    A re-score day next to the questions after an infusion, given or booked, needs none of its own. The first that comes
    well after the last infusion also asks how helpful it was.
    """
    zone = Practice.get().zone
    sessions = _sessions(course, without)
    given = [session for session in sessions if session.state == DONE]
    induction = [session for session in given if not session.is_maintenance]
    after = timedelta(hours=follow_up.MEASURE_AFTER_HOURS)
    found = [(NINE_QUESTIONS, str(Why.AFTER_SESSION), moment_of(session, zone) + after) for session in given]
    if not induction:
        return found
    booked = [moment_of(session, zone) + after for session in sessions if session.state in (DONE, PLANNED)]
    first, last = moment_of(induction[0], zone), moment_of(induction[-1], zone)
    days = [follow_up.days_later(first, days, zone) for days in infusion.RESCORE_DAYS]
    alone = [due for due in days if all(abs(due - other) > DAY for other in booked)]
    helped = None
    if is_over(course, without=without):
        long_enough = last + timedelta(days=follow_up.HELPED_AFTER_DAYS)
        late = follow_up.days_later(last, infusion.RESCORE_DAYS[0], zone)
        helped = next((due for due in alone if due >= long_enough), late)
        found.append((LOOKING_BACK, str(Why.AFTER_COURSE), helped))
    return found + [(NINE_QUESTIONS, str(Why.PLAN), due) for due in alone if due != helped]


def note_helped(course_id: UUID, answer: str) -> None:
    """Keep on the course how helpful the client says it was."""
    Course.objects.filter(pk=course_id).update(helped=answer)


def seen(since: datetime) -> "QuerySet[Any, Any]":
    """The clients with a session at a clinic since then, or one ahead."""
    return CourseSession.objects.filter(on__gte=since.date(), state__in=[PLANNED, DONE]).values("course__client")


def dosed_on(clients: Iterable[UUID], day: date) -> set[UUID]:
    """Those of them who have an infusion at a clinic that day. One query."""
    rows = CourseSession.objects.filter(course__client__in=clients, on=day).exclude(state=CourseSession.State.MISSED)
    return set(rows.values_list("course__client", flat=True))
