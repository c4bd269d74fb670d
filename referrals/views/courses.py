"""Courses of infusions elsewhere, on the chart."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from practice.models import Client
from practice.views.chart import SIDE, Panel
from referrals.models import Course, CourseSession


def courses(client: Client) -> list[Course]:
    """The courses of this client with their sessions, newest first. Asks the database twice per client."""
    if not hasattr(client, "courses_read"):
        client.courses_read = list(client.courses.prefetch_related("sessions"))  # type: ignore[attr-defined]
    return client.courses_read  # type: ignore[attr-defined]


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    found = courses(client)
    return Panel("referrals/courses_panel.html", {"courses": [course_rows(c) for c in found]}, SIDE) if found else None


def course_rows(course: Course) -> dict[str, Any]:
    """One course with a place for each infusion, those not reported yet included."""
    told = {session.number: session for session in course.sessions.all()}
    done = {number for number, session in told.items() if session.state == CourseSession.State.DONE}
    last = max([course.planned, *told])
    return {
        "course": course,
        "done": len(done),
        "places": [{"number": n, "session": told.get(n), "done": n in done} for n in range(1, last + 1)],
    }
