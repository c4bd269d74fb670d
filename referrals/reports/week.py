"""What owners look at on a Friday: flags, releases that end soon, what left without one, and the drill."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import coverage
from practice.access import Permission
from practice.models import Client
from practice.templatetags.ui import full_day
from referrals.actions.releases import WARN_BEFORE
from referrals.models import Disclosure, Release
from referrals.reports.counted import Kind, Line, Middle, Row, Table, minutes_said
from referrals.reports.days import Days
from referrals.reports.safety import Drill, Flag, drills_of, flags_of, took


@dataclass(kw_only=True)
class Ending(Row):
    """A signed release that ends soon."""


@dataclass(kw_only=True)
class Sent(Row):
    """What left in an emergency without a release, by somebody's written reason."""


def rows(days: Days, at: datetime) -> list[Row]:
    """Six queries whatever their number."""
    return [*flags_of(days, at), *_ending(days, at), *_sent(days), *drills_of(days)]


WHO = ("client_id", "client__site_id", "client__therapist_id")


def _ending(days: Days, at: datetime) -> list[Row]:
    today = coverage.local(at, days.practice).date()
    found = Release.objects.filter(
        client__in=days.clients.values("pk"), signed_at__isnull=False, revoked_at=None, expires_on__gte=today,
        expires_on__lte=today + WARN_BEFORE,
    ).exclude(client__status__in=Client.LEFT)  # fmt: skip
    return [
        Ending(
            client=client,
            site=site,
            therapist=therapist,
            at=ends,
            url=reverse("releases", args=[client]),
            told=gettext("Release ends on {day}").format(day=full_day(ends)),
        )
        for client, site, therapist, ends in found.order_by("expires_on", "pk").values_list(*WHO, "expires_on")
    ]


def _sent(days: Days) -> list[Row]:
    """Their reasons were written freely, so they stand in the list of disclosures and in no file."""
    found = Disclosure.objects.filter(
        client__in=days.clients.values("pk"), is_emergency=True, at__gte=days.start, at__lt=days.end
    )
    return [
        Sent(
            client=client,
            site=site,
            therapist=therapist,
            at=at,
            url=f"{reverse('disclosures')}?emergency=on",
            told=gettext("Sent in an emergency, without a release; the reason stands in the list of what left"),
        )
        for client, site, therapist, at in found.order_by("at", "pk").values_list(*WHO, "at")
    ]


def _overdue(row: Any) -> bool:
    return isinstance(row, Flag) and row.open_for is not None and row.to_acknowledge is None and row.climbed


P = Permission
LINES = {
    "open": Line(_("Flags open now"), lambda row: isinstance(row, Flag) and row.open_for is not None, P.SEE_ALERTS),
    "overdue": Line(_("Overdue: nobody picked up before the next person was told"), _overdue, P.SEE_ALERTS),
    "flags": Line(_("Flags opened in these days"), lambda row: isinstance(row, Flag) and row.inside, P.SEE_ALERTS),
    "releases": Line(_("Releases that end within 14 days"), lambda row: isinstance(row, Ending), P.ASK_RELEASE),
    "sent": Line(_("Sent in an emergency, without a release"), lambda row: isinstance(row, Sent), P.READ_AUDIT),
    "drills": Line(_("Drills"), lambda row: isinstance(row, Drill), P.SEE_REPORTS),
    "drills_answered": Line(
        _("Drills picked up"), lambda row: isinstance(row, Drill) and row.to_acknowledge is not None, P.SEE_REPORTS
    ),
}
KIND = Kind(
    code="week",
    title=_("This week"),
    about=_("For owners, on one page: flags, releases that end soon, what left without one, and the drill."),
    rows=rows,
    lines=LINES,
    tables=(
        Table(_("Safety flags"), _("Flags"), (("open", "overdue"), ("flags",))),
        Table(_("Permissions"), _("Number of"), (("releases",), ("sent",))),
        Table(_("Drills of the alarm chain"), _("Drills"), (("drills", "drills_answered"),)),
    ),
    middles=(
        Middle(_("Flag to picked up"), took(Flag, "to_acknowledge"), minutes_said),
        Middle(_("Flag to spoken with"), took(Flag, "to_speak"), minutes_said),
    ),
    first="overdue",
    how=(
        _("The last seven days, unless you choose others. What is open, and what ends soon, is as of now."),
        _("The files hold no names. Where they are of several caseloads, small numbers are left out of them."),
    ),
    sees=P.MANAGE_PRACTICE,
    days=7,
)
