"""Courses of infusions elsewhere, on the chart: where the series stands, each session, and what it did."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import packet
from intake.models import Assessment
from intake.views import reading
from practice.charts import PANEL, Point, Treatment, trend
from practice.clinical import follow_up, infusion
from practice.clinical.change import compare
from practice.clinical.instrument import load
from practice.models import Client
from practice.templatetags.ui import day, full_day
from practice.views.chart import SIDE, Panel
from referrals.actions.courses import LOOKING_BACK
from referrals.models import Course, CourseSession
from referrals.receivers import HELPED

DONE, PLANNED = CourseSession.State.DONE, CourseSession.State.PLANNED
MEASURE = "phq-9"
BEFORE, AFTER = timedelta(days=14), timedelta(days=30)  # of the course, on its chart

# Where an induction stands (practice.clinical.infusion), as its chip: tone, icon, words.
STATUS: dict[str, tuple[str, str, str | Promise]] = {
    "not_started": ("", "clock", _("Not started")),
    "in_progress": ("watch", "clock", _("Under way")),
    "completed_on_schedule": ("good", "circle-check", _("Finished on schedule")),
    "completed_extended": ("good", "circle-check", _("Finished, extended")),
    "completed_late": ("good", "circle-check", _("Finished, late")),
    "interrupted": ("refer", "triangle-alert", _("Interrupted")),
    "stopped_early": ("refer", "ban", _("Stopped early")),
}


def courses(client: Client) -> list[Course]:
    """The courses of this client with their sessions, newest first. Asks the database twice per client."""
    if not hasattr(client, "courses_read"):
        found = client.courses.select_related("referral__client").prefetch_related("sessions")
        client.courses_read = list(found)  # type: ignore[attr-defined]
    return client.courses_read  # type: ignore[attr-defined]


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    found = courses(client)
    if not found:
        return None
    today, scores = timezone.localdate(at), reading.assessments(client)
    return Panel("referrals/courses_panel.html", {"courses": [story(c, scores, today) for c in found]}, SIDE)


def course_rows(course: Course) -> dict[str, Any]:
    """One course with a place for each infusion, those not reported yet included."""
    told = {session.number: session for session in course.sessions.all()}
    done = {number for number, session in told.items() if session.state == DONE}
    last = max([course.planned, *told])
    return {
        "course": course,
        "done": len(done),
        "places": [{"number": n, "session": told.get(n), "done": n in done} for n in range(1, last + 1)],
    }


def story(course: Course, scores: Sequence[Assessment], today: date) -> dict[str, Any]:
    """All that the panel says of one course."""
    row = course_rows(course)
    given = sorted((s for s in course.sessions.all() if s.state == DONE), key=lambda s: s.on)
    induction = [session.on for session in given if not session.is_maintenance]
    series = series_of(course, induction, today)
    totals = [
        (each.taken_on, float(each.total))
        for each in reversed(scores)
        if each.instrument == MEASURE and each.total is not None
    ]
    return row | {
        "done": len(induction),
        "extra": len(given) - len(induction),
        "chip": dict(zip(("tone", "icon", "text"), chip(series, course), strict=True)),
        "status": status_words(series, course),
        "routes": ", ".join(dict.fromkeys(str(s.get_route_display()) for s in given if s.route)),
        "steps": steps(course, series, induction, totals, today),
        "chart": chart(course, [session.on for session in given], scores, today),
        "told": [session_row(session) for session in sorted(course.sessions.all(), key=lambda s: s.number)],
        "helped": helped_words(course),
    }


def series_of(course: Course, given: Sequence[date], today: date) -> infusion.Series:
    """Where the induction stands. A silence counts as a gap only while the course is under way."""
    under_way = course.state == Course.State.UNDER_WAY
    return infusion.series(given, today=today if under_way else None, stopped=course.state != Course.State.UNDER_WAY)


def chip(series: infusion.Series, course: Course) -> tuple[str, str, str | Promise]:
    if course.state == Course.State.DONE and series.status == "stopped_early":  # fewer were planned than are usual
        return "good", "circle-check", _("Finished")
    return STATUS[series.status]


def status_words(series: infusion.Series, course: Course) -> str:
    """What stands behind the chip, in a sentence; empty while there is nothing to say."""
    span = ngettext("{n} day", "{n} days", series.span_days).format(n=series.span_days)
    said = []
    if series.status.startswith("completed"):
        said.append(gettext("{n} infusions in {span}.").format(n=series.given, span=span))
    if series.status == "interrupted":
        said.append(gettext("A gap of {n} days.").format(n=series.longest_gap_days))
    if series.status == "stopped_early" and course.stopped_words:
        said.append(gettext("The clinic says: {words}").format(words=course.stopped_words))
    if series.review_due and series.status in ("in_progress", "interrupted") and series.given < infusion.COUNT:
        said.append(gettext("Time to look at the response with the clinic."))
    return " ".join(said)


def steps(
    course: Course,
    series: infusion.Series,
    given: Sequence[date],
    totals: Sequence[tuple[date, float]],
    today: date,
) -> list[dict[str, Any]]:
    """First infusion, how many are done, and the follow-up: each with its day, the one that is next marked."""
    booked = sorted(session.on for session in course.sessions.all() if session.state == PLANNED)
    sent = course.referral.sent_at if course.referral else None
    first = _step(gettext("First infusion"), done=bool(given))
    if given:
        first["when"] = day(given[0])
        if sent is not None and given[0] >= timezone.localdate(sent):
            n = (given[0] - timezone.localdate(sent)).days
            first["when"] += " " + ngettext("({n} day after sending)", "({n} days after sending)", n).format(n=n)
    count = _step(gettext("{n} of {m} done").format(n=len(given), m=course.planned), done=len(given) >= course.planned)
    if booked and not count["done"]:
        (count if given else first)["when"] = gettext("next {day}").format(day=day(booked[0]))
    elif given:
        count["when"] = day(given[-1])
    follow = _step(gettext("Follow-up PHQ-9"), done=False)
    well_after = timedelta(days=follow_up.HELPED_AFTER_DAYS)  # sooner are the questions after the last infusion
    after = [(on, total) for on, total in totals if given and on >= given[-1] + well_after]
    if after and (count["done"] or course.state == Course.State.STOPPED):
        follow["done"], follow["when"] = True, follow_words(given[0], totals, *after[0])
    found = [first, count, follow]
    if course.state == Course.State.STOPPED and not count["done"]:
        found.remove(count)
        found.insert(1, _step(gettext("Ended after {n} of {m}").format(n=len(given), m=course.planned), done=True))
    ahead = next((step for step in found if not step["done"]), None)
    if ahead is not None:
        ahead["now"] = True
    return found


def _step(label: str, *, done: bool) -> dict[str, Any]:
    return {"label": label, "when": "", "done": done, "now": False}


def follow_words(first: date, totals: Sequence[tuple[date, float]], on: date, total: float) -> str:
    """Return "Tue Mar 17: 21 to 9, response", from the last score before the course."""
    before = [earlier for taken, earlier in totals if taken <= first]
    if not before:
        return f"{day(on)}: {total:g}"
    said = gettext("{day}: {before} to {now}").format(day=day(on), before=f"{before[-1]:g}", now=f"{total:g}")
    found = compare(load(MEASURE).change, before[-1], total)
    if found.remission and before[-1] >= load(MEASURE).change["remission_below"]:
        return gettext("{words}, remission").format(words=said)
    return gettext("{words}, response").format(words=said) if found.response else said


def chart(course: Course, given: Sequence[date], scores: Sequence[Assessment], today: date) -> Any:
    """The scores around the course with its infusions; nothing without at least two."""
    if not given:
        return ""
    start, end = given[0] - BEFORE, min(max(given[-1] + AFTER, given[-1]), max(today, given[-1]))
    rows = [row for row in reversed(scores) if row.instrument == MEASURE and start <= row.taken_on <= end]
    if len(rows) < 2:
        return ""
    definition = rows[-1].definition
    return trend(
        [Point(row.taken_on, None if row.total is None else float(row.total), row.safety) for row in rows],
        name=definition.short_name,
        bands=definition.ranges,
        maximum=float(definition.scoring["maximum"]),
        minimum=float(definition.scoring.get("minimum", 0)),
        start=start,
        end=end,
        treatment=Treatment(courses=[list(given)]),
        size=PANEL,
        chart_id=f"course-{course.pk}-z",
    )


def session_row(session: CourseSession) -> dict[str, str]:
    """One infusion as the clinic reports it: which, when, what became of it and by which way, and what it added."""
    what = [str(session.get_state_display()), str(session.get_route_display()) if session.route else ""]
    name = gettext("{n}, maintenance").format(n=session.number) if session.is_maintenance else str(session.number)
    words = ", ".join(part for part in (full_day(session.on), *what) if part)
    return {"name": name, "words": words, "note": session.note or ""}


def helped_words(course: Course) -> str:
    """The client's own answer, in its words."""
    if not course.helped:
        return ""
    choice = packet.seed(LOOKING_BACK).by_slug[HELPED].only.choice(course.helped)
    return choice.label if choice else course.helped
