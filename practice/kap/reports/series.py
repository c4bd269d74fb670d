"""The KAP report: sessions kept, boosters due, done and lapsed, and how the PHQ-9 changed over a course.

A row is a session whose time has come, a booster that fell due, or a course that ended.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.clinical import kap
from practice.kap.models import Plan, Session
from practice.kap.reports import courses
from practice.kap.reports.courses import Course
from practice.models import Client
from referrals.reports.counted import Kind, Line, Middle, Row, Table
from referrals.reports.days import Days

PHQ9 = "phq-9"
State = Session.State
WINDOW = timedelta(days=kap.BOOSTER_WINDOW_DAYS)


@dataclass(kw_only=True)
class Held(Row):
    """A session whose time has come."""

    kind: str
    state: str


@dataclass(kw_only=True)
class Due(Row):
    """A booster that fell due: six months after a dose that no other followed in time to go on with a series."""

    fate: str
    """done, late, lapsed, waits or left."""


def rows(days: Days, at: datetime) -> list[Row]:
    """Six queries whatever their number."""
    found: list[Row] = [*_sessions(days, at), *_boosters(days, at), *courses.ended(days, [PHQ9])]
    return found


def _sessions(days: Days, at: datetime) -> list[Held]:
    due = Session.objects.filter(
        plan__client__in=days.clients.values("pk"), starts_at__gte=days.start, starts_at__lt=min(days.end, at)
    ).order_by("starts_at", "pk")
    columns = ("plan_id", "plan__client_id", "plan__client__site_id", "therapist_id", "plan__client__therapist_id",
               "kind", "number", "state", "starts_at")  # fmt: skip
    kinds, states = dict(Session.Kind.choices), dict(State.choices)
    return [
        Held(
            client=client,
            site=site,
            therapist=own or therapist,
            at=starts_at,
            url=reverse("plan", args=[plan]),
            told=f"{kinds[kind]} {number}; {states[state]}",
            kind=kind,
            state=state,
        )
        for plan, client, site, therapist, own, kind, number, state, starts_at in due.values_list(*columns)
    ]


def _boosters(days: Days, at: datetime) -> list[Due]:
    zone = ZoneInfo(days.practice.zone)
    today = at.astimezone(zone).date()
    doses: dict[UUID, list[tuple[date, UUID]]] = defaultdict(list)
    who: dict[UUID, tuple[int, UUID | None, str]] = {}
    given = Session.objects.filter(
        plan__client__in=days.clients.values("pk"), kind=Session.Kind.DOSING, state=State.DONE
    ).order_by("starts_at")
    columns = ("plan_id", "plan__client_id", "plan__client__site_id", "plan__client__therapist_id",
               "plan__client__status", "starts_at")  # fmt: skip
    for plan, client, site, therapist, status, starts_at in given.values_list(*columns):
        doses[client].append((starts_at.astimezone(zone).date(), plan))
        who[client] = site, therapist, status
    going_on = set(
        Session.objects.filter(
            plan__client__in=days.clients.values("pk"), plan__state=Plan.State.UNDER_WAY, kind=Session.Kind.DOSING,
            state__in=[*Session.AHEAD, State.STARTED],
        )
        .exclude(plan__shape=Plan.Shape.BOOSTER)
        .values_list("plan__client", flat=True)
    )  # fmt: skip
    found = []
    for client, theirs in doses.items():
        site, therapist, status = who[client]
        for (on, plan), after in zip(theirs, [*theirs[1:], None], strict=True):
            due_on = kap.add_months(on, kap.BOOSTER_MONTHS)
            fate = _fate(due_on, after[0] if after else None, today, gone=status in Client.LEFT)
            if fate and days.holds(due_on) and not (after is None and client in going_on):
                found.append(
                    Due(
                        client=client,
                        site=site,
                        therapist=therapist,
                        at=due_on,
                        url=reverse("plan", args=[plan]),
                        told=gettext("Booster; {fate}").format(fate=FATES[fate]),
                        fate=fate,
                    )
                )
    return sorted(found, key=lambda row: (row.at, str(row.client)))


def _fate(due_on: date, next_on: date | None, today: date, *, gone: bool) -> str:
    """What became of the booster that is due on this day; "" when a next dose came before its window opened."""
    if next_on is not None and next_on < due_on - WINDOW:
        return ""
    if next_on is not None:
        return "done" if next_on <= due_on + WINDOW else "late"
    if gone:
        return "left"
    return "lapsed" if today > due_on + WINDOW else "waits"


FATES = {
    "done": _("Done within 30 days of the due day"),
    "late": _("Done later"),
    "waits": _("Not yet done, still within 30 days"),
    "lapsed": _("Lapsed: 30 days past due and not done"),
    "left": _("Left the practice before"),
}
P = Permission


def _held(holds: Callable[[Held], bool] = lambda row: True) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Held) and holds(row)


def _in(*states: str) -> Callable[[Any], bool]:
    return _held(lambda row: row.state in states)


def _due(*fates: str) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Due) and (not fates or row.fate in fates)


def _course(holds: Callable[[Course], object] = lambda row: True) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Course) and row.path != Plan.Shape.BOOSTER and bool(holds(row))


def _compared(row: Course) -> bool:
    return row.compared(PHQ9)


def _points(side: str) -> Callable[[Any], float | None]:
    counted = _course(_compared)
    return lambda row: getattr(row, side)[PHQ9] if counted(row) else None


def _plain(value: float) -> str:
    return f"{value:g}"


LINES = {
    "sessions": Line(_("Sessions whose time has come"), _held(), P.SEE_PLANS),
    "kept": Line(_("Kept"), _in(State.DONE, State.STARTED), P.SEE_PLANS),
    "missed": Line(_("Missed"), _in(State.MISSED), P.SEE_PLANS),
    "skipped": Line(_("Skipped, with a reason"), _in(State.SKIPPED), P.SEE_PLANS),
    "unrecorded": Line(_("Nothing recorded yet"), _in(State.PLANNED, State.WAITING), P.SEE_PLANS),
    "doses": Line(_("Dosing sessions among them"), _held(lambda row: row.kind == "dosing"), P.SEE_PLANS),
    "doses_kept": Line(
        _("Dosing sessions kept"),
        _held(lambda row: row.kind == "dosing" and row.state in (State.DONE, State.STARTED)),
        P.SEE_PLANS,
    ),
    "boosters": Line(_("Boosters due in these days"), _due(), P.SEE_PLANS),
    **{f"booster_{fate}": Line(words, _due(fate), P.SEE_PLANS) for fate, words in FATES.items()},
    "courses": Line(_("Courses that ended, last dose in these days"), _course()),
    "unscored": Line(_("Without a PHQ-9 before or after"), _course(lambda row: not _compared(row))),
    "compared": Line(_("With a PHQ-9 before and after"), _course(_compared)),
    "response": Line(_("Fell by half or more"), _course(lambda row: row.change(PHQ9).response)),
    "remission": Line(_("Under 5 after"), _course(lambda row: row.change(PHQ9).remission)),
    "worse": Line(_("Rose by 5 points or more"), _course(lambda row: row.change(PHQ9).worsening_review)),
}
KIND = Kind(
    code="kap",
    title=_("Our ketamine sessions"),
    about=_("Sessions kept, boosters due, done and lapsed, and how the PHQ-9 changed."),
    rows=rows,
    lines=LINES,
    tables=(
        Table(
            _("Sessions"),
            _("Sessions"),
            (("sessions", "doses"), ("doses", "doses_kept")),
            (("sessions", "kept", "missed", "skipped", "unrecorded"),),
        ),
        Table(_("Boosters"), _("Boosters"), (), (("boosters", *(f"booster_{fate}" for fate in FATES)),)),
        Table(
            _("Change in PHQ-9"),
            _("Courses"),
            (("compared", "response"), ("compared", "remission"), ("compared", "worse")),
            (("courses", "compared", "unscored"),),
        ),
    ),
    middles=(
        Middle(_("PHQ-9 before the first dose"), _points("before"), _plain),
        Middle(_("PHQ-9 after the last dose"), _points("after"), _plain),
    ),
    first="boosters",
    how=(
        _("A session belongs to the day it was planned for, a booster to its due day, a course to its last dose."),
        _("A booster is due six months after a dose, when no other dose came before 30 days ahead of that day."),
        _("Before: the last PHQ-9 up to the first dose. After: the last one within 14 days after the last dose."),
        _("Weekly courses and intensives that ended, finished or stopped. Courses without both scores are in no rate."),
        _("Nobody can tell from these numbers what helped."),
    ),
)
