"""The list of plans: whose, which of them, in what order, one page at a time. The same queries whatever the size."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import DateField, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice import places
from practice.access import Permission
from practice.caseload import COUNTED
from practice.clinical import kap
from practice.kap.actions import boosters
from practice.kap.models import Plan, Session
from practice.models import Client, User

PAGE = 50
State, Kind, Shape = Session.State, Session.Kind, Plan.Shape
NOTED = (Kind.DOSING, Kind.INTEGRATION)  # a note is due for these (H17)


@dataclass(frozen=True)
class Tab:
    label: str | Promise
    order: list[str]


TABS: dict[str, Tab] = {
    "": Tab(_("Under way"), ["k_from", "pk"]),
    "overdue": Tab(_("Weekly, overdue"), ["k_last", "pk"]),  # who has waited longest
    "intensives": Tab(_("Intensives ahead"), ["k_from", "pk"]),
    "boosters": Tab(_("Boosters due"), ["k_from", "pk"]),  # whose dose is longest ago
    "waits": Tab(_("Waiting for the prescriber"), ["k_from", "pk"]),
    "notes": Tab(_("Notes missing"), ["k_unnoted", "pk"]),  # whose session is longest ago
}


def scope(user: User, who: str) -> QuerySet[Plan]:
    """The plans that `who` means for this person: "me" are those of the people they look after."""
    found: QuerySet[Plan] = Plan.objects.visible_to(user, Permission.SEE_PLANS)
    if who == "me":
        found = found.filter(client__in=Client.objects.looked_after_by(user).values("pk"))
    return found.exclude(client__status__in=Client.LEFT)


def tab(plans: QuerySet[Plan], name: str, at: datetime) -> QuerySet[Plan]:
    """The plans of one tab."""
    today = timezone.localdate(at)
    doses = Session.objects.filter(plan=OuterRef("pk"), kind=Kind.DOSING)
    last = Subquery(doses.filter(state=State.DONE).order_by("-starts_at").values("starts_at")[:1])
    found = plans.annotate(k_last=last)
    under_way = Q(state=Plan.State.UNDER_WAY)
    if name == "overdue":
        return found.filter(
            under_way, Exists(doses.filter(state__in=Session.AHEAD)), shape=Shape.WEEKLY, k_last__lt=_late(today)
        )
    if name == "intensives":
        return found.filter(under_way, Exists(doses.filter(state__in=Session.AHEAD)), shape=Shape.INTENSIVE)
    if name == "boosters":
        return _boosters(found, under_way, doses, today)
    if name == "waits":
        return found.filter(under_way, Exists(Session.objects.filter(plan=OuterRef("pk"), state=State.WAITING)))
    if name == "notes":
        missing = Session.objects.filter(plan=OuterRef("pk"), kind__in=NOTED, signed_at__isnull=False, note=None)
        oldest = Subquery(missing.order_by("starts_at").values("starts_at")[:1])
        return found.annotate(k_unnoted=oldest).filter(k_unnoted__isnull=False)
    return found.filter(under_way)


def unnoted(sessions: Iterable[Session]) -> list[Session]:
    """The signed sessions among these whose note is missing."""
    return [row for row in sessions if row.kind in NOTED and row.signed_at is not None and row.note_id is None]


def _late(today: date) -> datetime:
    """A weekly dose is late or overdue when the last one was before this moment."""
    on_time = kap.WEEKLY_DAYS + kap.WEEKLY_TOLERANCE_DAYS
    return _midnight(today - timedelta(days=on_time))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone())


def _boosters(found: QuerySet[Plan], under_way: Q, doses: QuerySet[Session], today: date) -> QuerySet[Plan]:
    """Boosters that are planned and due by then, and ended plans whose last dose asks for one that nobody planned."""
    first, last = boosters.given_between(today)
    anywhere = Session.objects.filter(plan__client=OuterRef("client"), kind=Kind.DOSING)
    later = anywhere.filter(state__in=[State.DONE, State.STARTED], starts_at__gt=OuterRef("k_last"))
    ahead = anywhere.filter(state__in=[*Session.AHEAD, State.STARTED], plan__state=Plan.State.UNDER_WAY)
    offered = Q(k_last__gte=_midnight(first), k_last__lt=_midnight(last + timedelta(days=1)))
    planned = under_way & Q(shape=Shape.BOOSTER, due_on__lte=boosters.near_until(today))
    return found.filter(
        planned & Exists(doses.filter(state__in=[*Session.AHEAD, State.STARTED]))
        | offered & ~Exists(later) & ~Exists(ahead)
    )


def counts(plans: QuerySet[Plan], at: datetime) -> dict[str, int]:
    """How many there are in each tab. One query each."""
    return {name: tab(plans, name, at).values("pk")[:COUNTED].count() for name in TABS}


def page(plans: QuerySet[Plan], name: str, about: str, after: str, at: datetime) -> places.Stretch:
    """The next plans of this tab after this place, with client, therapist and sessions."""
    keys: dict[str, Any] = {
        "k_from": Coalesce("anchor_on", TruncDate("k_last"), "started_on", output_field=DateField())
        if name == "boosters"
        else F("started_on")
    }
    rows = tab(plans, name, at).annotate(**keys).select_related("client__therapist", "therapist")
    return places.stretch(rows.prefetch_related("sessions"), TABS[name].order, f"plans|{name}|{about}", after, PAGE)
