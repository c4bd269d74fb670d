"""The treatments of the demo: infusion courses as clinics report them, KAP plans and their sessions."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from practice import audit
from practice.clinical import infusion
from practice.kap.models import Plan, Session
from practice.models import Client, Task
from referrals.models import Course, CourseSession

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

WEEK = timedelta(days=7)


def record(client: Client, person: Mapping[str, Any], story: "Story") -> tuple[str, str] | None:
    """Write the person's treatments; return plan and note for the caseload, of the newest one."""
    said = None
    for row in person.get("courses", ()):
        said = _course(client, row, story)
    for row in person.get("plans", ()):
        said = _plan(client, row, story)
    return said


def short(day: date) -> str:
    return f"{day:%b} {day.day}"


def _course(client: Client, row: Mapping[str, Any], story: "Story") -> tuple[str, str]:
    first = story.when(row["first"]).date()
    stopped, done = row.get("stopped", False), row["given"] == row["planned"]
    state = Course.State.STOPPED if stopped else Course.State.DONE if done else Course.State.UNDER_WAY
    course = Course.objects.create(
        client=client, clinic=row["clinic"], planned=row["planned"], state=state, started_on=first
    )
    for number, day in enumerate(infusion.plan(first)[: row["planned"]], 1):
        given = number <= row["given"]
        missed = "missed" in row and number == row["given"] + 1
        if missed:
            day = story.when(row["missed"]).date()
            at = story.when(row["missed"].replace("d", "d 15:00"))
            Task.open(client, "missed", at=at, subject_id=course.pk, due_at=at + timedelta(days=2))
        if given or missed or not stopped:
            made = CourseSession.State.DONE if given else CourseSession.State.MISSED if missed else None
            CourseSession.objects.create(
                course=course, number=number, on=day, state=made or CourseSession.State.PLANNED
            )
    audit.record("course.recorded", by=None, client=client, target=course, at=story.at)
    if state == Course.State.UNDER_WAY:
        return "Infusions", f"{row['given']} of {row['planned']}, {row['clinic']}"
    return "Infusions", f"stopped after {row['given']}" if stopped else f"done {short(day)}"


def _plan(client: Client, row: Mapping[str, Any], story: "Story") -> tuple[str, str]:
    first = story.when(row["first"]).date()
    done = row["given"] == row["planned"]
    due = story.at.astimezone(story.zone).date() + timedelta(days=row["due_in"]) if "due_in" in row else None
    plan = Plan.objects.create(
        client=client,
        shape=row["shape"],
        state=Plan.State.DONE if done else Plan.State.UNDER_WAY,
        planned=row["planned"],
        started_on=first,
        due_on=due,
    )
    step = WEEK if row["shape"] == "weekly" else timedelta(days=1)
    for number in range(1, row["planned"] + 1):
        day = due or first + (number - 1) * step
        given = number <= row["given"]
        _sessions(plan, number, day, given, story)
    audit.record("plan.recorded", by=None, client=client, target=plan, at=story.at)
    if due:
        return "KAP booster", f"due {short(due)}"
    if row["shape"] == "weekly":
        return "KAP weekly", "done" if done else f"{row['given']} of {row['planned']}"
    return "KAP intensive", f"done {short(first + step)}"


def _sessions(plan: Plan, number: int, day: date, given: bool, story: "Story") -> None:
    """Prepare, dose, integrate: around each dosing day."""
    for kind, offset, hour in (("preparation", -1, 17), ("dosing", 0, 10), ("integration", 1, 17)):
        starts = datetime.combine(day + timedelta(days=offset), time(hour), tzinfo=story.zone)
        state = Session.State.DONE if given and starts <= story.at else Session.State.PLANNED
        Session.objects.create(plan=plan, kind=kind, number=number, starts_at=starts, state=state)
