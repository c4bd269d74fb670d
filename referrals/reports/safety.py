"""The safety report: how soon flags were picked up and the client spoken with, what was declined, and the drills.

A row is a flag, a suicide screen that came in, or a drill. Flags from another system's history page nobody and are not
counted; one that somebody found to be a mistake is, since it was a flag until then. What is still open is counted
whatever the days.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.models import Assessment
from practice.access import Permission
from practice.models import Alert, SafetyContact, SafetyPlan
from referrals.reports.counted import Kind, Line, Middle, Row, Table, minutes_said
from referrals.reports.days import Days

SCREENS = ("asq", "cssrs-screener-recent")
DAY, TWO_DAYS, WEEK = timedelta(days=1), timedelta(days=2), timedelta(days=7)
UNFINISHED = ("incomplete", "declined", "refused")


@dataclass(kw_only=True)
class Flag(Row):
    inside: bool
    """Opened in the days that were asked for."""
    open_for: timedelta | None
    """None when it is closed."""
    climbed: bool = False
    """Its alarm went on to the next person."""
    to_acknowledge: timedelta | None = None
    to_try: timedelta | None = None
    """Until the first recorded attempt to reach the client."""
    to_speak: timedelta | None = None
    """Until somebody spoke with the client."""
    to_plan: timedelta | None = None
    """Until a safety plan was finished."""


@dataclass(kw_only=True)
class Screen(Row):
    status: str


@dataclass(kw_only=True)
class Drill(Row):
    to_acknowledge: timedelta | None


def rows(days: Days, at: datetime) -> list[Row]:
    """Flags, screens and drills, oldest first: five queries whatever their number."""
    found: list[Row] = [*flags_of(days, at), *_screens(days), *drills_of(days)]
    return found


def flags_of(days: Days, at: datetime) -> list[Flag]:
    inside = Q(opened_at__gte=days.start, opened_at__lt=days.end)
    alerts = (
        Alert.objects.filter(inside | Q(closed_at=None), client__in=days.clients.values("pk"), is_drill=False)
        .exclude(source=Alert.Source.HISTORY)
        .order_by("opened_at", "pk")
    )
    columns = ("pk", "client_id", "client__site_id", "client__therapist_id", "severity", "rules", "opened_at",
               "acknowledged_at", "closed_at", "rung")  # fmt: skip
    given = list(alerts.values(*columns))
    ids = alerts.order_by().values("pk")
    contacts: dict[UUID, list[tuple[datetime, str]]] = defaultdict(list)
    for alert, moment, reached in SafetyContact.objects.filter(alert__in=ids).values_list("alert", "at", "reached"):
        contacts[alert].append((moment, reached))
    plans: dict[UUID, list[datetime]] = defaultdict(list)
    finished = SafetyPlan.objects.filter(client__in=alerts.order_by().values("client"), finished_at__isnull=False)
    for client, finished_at in finished.values_list("client", "finished_at"):
        if finished_at is not None:
            plans[client].append(finished_at)
    severity = dict(Alert.Severity.choices)
    found = []
    for row in given:
        opened = row["opened_at"]
        tried = [moment for moment, _reached in contacts[row["pk"]]]
        spoke = [moment for moment, reached in contacts[row["pk"]] if reached == SafetyContact.Reached.YES]
        flag = Flag(
            client=row["client_id"],
            site=row["client__site_id"],
            therapist=row["client__therapist_id"],
            at=opened,
            url=reverse("alert_open", args=[row["pk"]]),
            told="",
            inside=days.holds(opened),
            open_for=at - opened if row["closed_at"] is None else None,
            climbed=row["rung"] > 0,
            to_acknowledge=_until(opened, [row["acknowledged_at"]] if row["acknowledged_at"] else []),
            to_try=_until(opened, tried),
            to_speak=_until(opened, spoke),
            to_plan=_until(opened, [moment for moment in plans[row["client_id"]] if moment >= opened]),
        )
        flag.told = _told(flag, str(severity[row["severity"]]), [rule["id"] for rule in row["rules"]])
        found.append(flag)
    return found


def _until(opened: datetime, moments: Sequence[datetime]) -> timedelta | None:
    """From the flag to the first of these; what was noted down as earlier than the flag took no time."""
    return max(min(moments) - opened, timedelta(0)) if moments else None


def _told(flag: Flag, severity: str, rules: list[str]) -> str:
    def say(words: str, never: str, took: timedelta | None) -> str:
        return never if took is None else words.format(time=minutes_said(_minutes(took)))

    parts = [
        f"{severity} ({', '.join(rules)})",
        say(gettext("picked up after {time}"), gettext("not picked up"), flag.to_acknowledge),
        say(gettext("spoken with after {time}"), gettext("not spoken with"), flag.to_speak),
        gettext("closed") if flag.open_for is None else gettext("open"),
    ]
    return "; ".join(parts)


def _screens(days: Days) -> list[Screen]:
    came_in = Assessment.objects.filter(
        client__in=days.clients.values("pk"), instrument__in=SCREENS, imported_at=None, taken_at__gte=days.start,
        taken_at__lt=days.end,
    )  # fmt: skip
    columns = ("client_id", "client__site_id", "client__therapist_id", "instrument", "details", "taken_at")
    words = {
        "incomplete": gettext("Not finished"),
        "declined": gettext("Declined"),
        "refused": gettext("Declined by a minor, which counts as a yes"),
    }
    return [
        Screen(
            client=client,
            site=site,
            therapist=therapist,
            at=taken_at,
            url=reverse("chart", args=[client]),
            told=f"{instrument.split('-')[0].upper()}; {words.get(status, gettext('Answered to the end'))}",
            status=status,
        )
        for client, site, therapist, instrument, details, taken_at in came_in.order_by("taken_at").values_list(*columns)
        for status in (details.get("status", ""),)
    ]


def drills_of(days: Days) -> list[Drill]:
    """Those that this person may see: all, or those they were told of."""
    run = Alert.objects.visible_to(days.user).filter(
        is_drill=True, opened_at__gte=days.start, opened_at__lt=days.end
    )  # fmt: skip
    found = []
    for pk, opened, acknowledged in run.order_by("opened_at").values_list("pk", "opened_at", "acknowledged_at"):
        took = _until(opened, [acknowledged] if acknowledged else [])
        told = gettext("Drill; picked up after {time}") if took is not None else gettext("Drill; not picked up")
        found.append(
            Drill(
                client=None,
                site=None,
                therapist=None,
                at=opened,
                url=reverse("drill_alert", args=[pk]),
                told=told.format(time=minutes_said(_minutes(took)) if took is not None else ""),
                to_acknowledge=took,
            )
        )
    return found


def _minutes(took: timedelta) -> int:
    return int(took.total_seconds() // 60)


# --- What is counted -------------------------------------------------------------------------------------------------


def flag(holds: Callable[[Flag], bool] = lambda row: True) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Flag) and row.inside and holds(row)


def _open(least: timedelta = timedelta(0)) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Flag) and row.open_for is not None and row.open_for >= least


def _within(name: str, most: timedelta | None = None) -> Callable[[Any], bool]:
    def holds(row: Flag) -> bool:
        took = getattr(row, name)
        return took is not None and (most is None or took <= most)

    return flag(holds)


def _screen(*statuses: str) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Screen) and (not statuses or row.status in statuses)


def drill(holds: Callable[[Drill], bool] = lambda row: True) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Drill) and holds(row)


def took(sort: type[Row], name: str) -> Callable[[Any], float | None]:
    def value(row: Any) -> float | None:
        took = getattr(row, name) if isinstance(row, sort) else None
        return None if took is None or (isinstance(row, Flag) and not row.inside) else _minutes(took)

    return value


P = Permission
LINES = {
    "open": Line(_("Open now"), _open(), P.SEE_ALERTS),
    "open_24h": Line(_("Open for 24 hours or more"), _open(DAY), P.SEE_ALERTS),
    "open_48h": Line(_("Open for 48 hours or more"), _open(TWO_DAYS), P.SEE_ALERTS),
    "open_7d": Line(_("Open for 7 days or more"), _open(WEEK), P.SEE_ALERTS),
    "flags": Line(_("Flags opened in these days"), flag()),
    "acknowledged": Line(_("Picked up"), _within("to_acknowledge")),
    "acknowledged_24h": Line(_("Picked up within 24 hours"), _within("to_acknowledge", DAY)),
    "tried": Line(_("Somebody tried to reach them"), _within("to_try")),
    "spoken": Line(_("Spoken with"), _within("to_speak")),
    "spoken_7d": Line(_("Spoken with within 7 days"), _within("to_speak", WEEK)),
    "spoken_48h": Line(_("Spoken with within 48 hours"), _within("to_speak", TWO_DAYS)),
    "spoken_24h": Line(_("Spoken with within 24 hours"), _within("to_speak", DAY)),
    "planned_7d": Line(_("Safety plan finished within 7 days"), _within("to_plan", WEEK)),
    "planned_24h": Line(_("Safety plan finished within 24 hours"), _within("to_plan", DAY)),
    "screens": Line(_("Suicide screens that came in"), _screen()),
    "unfinished": Line(_("Not answered to the end"), _screen(*UNFINISHED)),
    "declined": Line(_("Declined"), _screen("declined", "refused")),
    "drills": Line(_("Drills"), drill(), P.SEE_REPORTS),
    "drills_answered": Line(_("Drills picked up"), drill(lambda row: row.to_acknowledge is not None), P.SEE_REPORTS),
}
KIND = Kind(
    code="safety",
    title=_("Safety flags"),
    about=_("How soon flags are picked up, and how soon somebody speaks with the client."),
    rows=rows,
    lines=LINES,
    tables=(
        Table(_("Open flags by age"), _("Flags"), (("open", "open_24h", "open_48h", "open_7d"),)),
        Table(
            _("Picked up and spoken with"),
            _("Flags"),
            (
                ("flags", "acknowledged", "acknowledged_24h"),
                ("flags", "tried", "spoken", "spoken_7d", "spoken_48h", "spoken_24h"),
            ),
        ),
        Table(_("Safety plans after a flag"), _("Flags"), (("flags", "planned_7d", "planned_24h"),)),
        Table(_("Screens declined"), _("Screens"), (("screens", "unfinished", "declined"),)),
        Table(_("Drills of the alarm chain"), _("Drills"), (("drills", "drills_answered"),)),
    ),
    middles=(
        Middle(_("Flag to picked up"), took(Flag, "to_acknowledge"), minutes_said),
        Middle(_("Flag to first attempt"), took(Flag, "to_try"), minutes_said),
        Middle(_("Flag to spoken with"), took(Flag, "to_speak"), minutes_said),
        Middle(_("Drill to picked up"), took(Drill, "to_acknowledge"), minutes_said),
    ),
    first="open",
    how=(
        _("A row belongs to the day of its flag. Open flags are counted whatever the days you choose."),
        _("Spoken with: a contact record that says so. An attempt is any contact record, also without an answer."),
        _("A flag from today that nobody has spoken with yet counts among those not spoken with within 24 hours."),
        _("Plans: a safety plan finished after the flag opened. Medians are of those picked up, or spoken with."),
        _("Screens: ASQ and C-SSRS that came in by form. Declined means no question was answered."),
    ),
)
