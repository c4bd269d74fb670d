"""Courses of treatment that ended, each with the scores before its first dose and after its last one."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext

from intake.models import Assessment
from practice.clinical import kap
from practice.clinical.change import Change, change
from practice.clinical.instrument import load
from practice.kap.models import Plan, Session
from referrals.models import Course as Infusions
from referrals.models import CourseSession
from referrals.reports.counted import Row
from referrals.reports.days import Days

Scores = list[tuple[date, float]]
INFUSION = "infusion"
WHO = ("client__site_id", "client__therapist_id")


@dataclass(kw_only=True)
class Course(Row):
    """A course belongs to the day of its last dose."""

    path: str
    first_on: date
    last_on: date
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    signs_before: dict[str, bool] = field(default_factory=dict)
    """Whether a question about suicide was answered above no in the same form."""
    signs_after: dict[str, bool] = field(default_factory=dict)

    def compared(self, instrument: str) -> bool:
        return instrument in self.before and instrument in self.after

    def change(self, instrument: str) -> Change:
        return change(load(instrument), self.before.get(instrument), self.after.get(instrument))


def ended(days: Days, instruments: Collection[str]) -> list[Course]:
    """Our own courses that ended, with a last dose in these days: three queries."""
    plans = (
        Plan.objects.filter(client__in=days.clients.values("pk"))
        .exclude(state=Plan.State.UNDER_WAY)
        .filter(sessions__kind=Session.Kind.DOSING, sessions__state=Session.State.DONE)
        .filter(sessions__starts_at__gte=days.start, sessions__starts_at__lt=days.end)
        .distinct()
    )
    zone = ZoneInfo(days.practice.zone)
    doses: dict[UUID, list[date]] = defaultdict(list)
    given = Session.objects.filter(
        plan__in=plans.order_by().values("pk"), kind=Session.Kind.DOSING, state=Session.State.DONE
    )
    for plan, starts_at in given.values_list("plan", "starts_at"):
        doses[plan].append(starts_at.astimezone(zone).date())
    shapes = dict(Plan.Shape.choices)
    found = []
    for pk, client, site, therapist, shape in plans.order_by("started_on", "pk").values_list(
        "pk", "client_id", *WHO, "shape"
    ):
        first_on, last_on = min(doses[pk]), max(doses[pk])
        if days.holds(last_on):
            found.append(
                Course(
                    client=client,
                    site=site,
                    therapist=therapist,
                    at=last_on,
                    url=reverse("plan", args=[pk]),
                    told=str(shapes[shape]),
                    path=shape,
                    first_on=first_on,
                    last_on=last_on,
                )
            )
    score(found, instruments)
    return found


def elsewhere(days: Days, instruments: Collection[str]) -> list[Course]:
    """Courses of infusions that a clinic reported as over, with a last visit in these days: three queries."""
    infusions = Infusions.objects.filter(client__in=days.clients.values("pk")).exclude(state=Infusions.State.UNDER_WAY)
    visits: dict[UUID, list[date]] = defaultdict(list)
    given = CourseSession.objects.filter(
        course__in=infusions.order_by().values("pk"), state=CourseSession.State.DONE, is_maintenance=False
    )
    for course, on in given.values_list("course", "on"):
        visits[course].append(on)
    found = [
        Course(
            client=client,
            site=site,
            therapist=therapist,
            at=max(visits[pk]),
            url=reverse("chart", args=[client]),
            told=gettext("Infusions at a clinic"),
            path=INFUSION,
            first_on=min(visits[pk]),
            last_on=max(visits[pk]),
        )
        for pk, client, site, therapist in infusions.order_by("started_on", "pk").values_list("pk", "client_id", *WHO)
        if visits[pk] and days.holds(max(visits[pk]))
    ]
    score(found, instruments)
    return found


def score(courses: list[Course], instruments: Collection[str]) -> None:
    """Give each course the last score up to its first dose, and the last one within two weeks after its last."""
    by_client: dict[Any, list[Course]] = defaultdict(list)
    for course in courses:
        by_client[course.client].append(course)
    if not courses:
        return
    taken = Assessment.objects.filter(client__in=list(by_client), instrument__in=instruments, total__isnull=False)
    for client, instrument, on, total, sign in taken.order_by("taken_at").values_list(
        "client_id", "instrument", "taken_on", "total", "safety"
    ):
        points = float(total or 0)  # none is missing: those were left out
        for course in by_client[client]:
            if on <= course.first_on:
                course.before[instrument], course.signs_before[instrument] = points, sign
            elif course.last_on < on <= course.last_on + timedelta(days=kap.END_WITHIN_DAYS):
                course.after[instrument], course.signs_after[instrument] = points, sign
    for course in courses:
        course.told += "".join(
            gettext("; {what} {before} before, {after} after").format(
                what=instrument.upper(),
                before=f"{course.before[instrument]:g}",
                after=f"{course.after[instrument]:g}",
            )
            for instrument in instruments
            if course.compared(instrument)
        )
