"""The list of referrals: whose, which of them, in what order, one page at a time. Three queries whatever the size."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, Count, DateTimeField, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice import places
from practice.access import Permission
from practice.caseload import COUNTED
from practice.models import Client, Task, User
from referrals.models import Decision, Referral
from referrals.states import TERMINAL, State

PAGE = 50
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Tab:
    label: str | Promise
    order: list[str]


TABS: dict[str, Tab] = {
    "": Tab(_("Open"), ["k_due", "pk"]),  # whose clock ends first
    "stalled": Tab(_("Stalled"), ["k_soon", "k_due", "pk"]),  # by priority, then by age (G17)
    "drafts": Tab(_("Drafts"), ["-created_at", "pk"]),
    "ended": Tab(_("Ended"), ["-state_at", "pk"]),
}


def scope(user: User, who: str) -> QuerySet[Referral]:
    """The referrals that `who` means for this person: "me" are those of the people they look after."""
    found: QuerySet[Referral] = Referral.objects.visible_to(user, Permission.SEE_REFERRALS)
    if who == "me":
        found = found.filter(client__in=Client.objects.looked_after_by(user).values("pk"))
    return found


def matching(tab: str, at: datetime) -> Q:
    is_open, is_draft = Q(closed_at=None) & ~Q(state__in=[State.DRAFT, *TERMINAL]), Q(state=State.DRAFT, closed_at=None)
    call = Exists(
        Task.objects.filter(client=OuterRef("client"), kind="call_clinic", subject_id=OuterRef("pk"), done_at=None)
    )
    return {
        "": is_open,
        "stalled": is_open & (Q(due_at__lte=at) | Q(call)),
        "drafts": is_draft,
        "ended": ~is_open & ~is_draft,
    }[tab]


def counts(referrals: QuerySet[Referral], at: datetime) -> dict[str, int]:
    """How many there are in each tab. One query."""
    few = Referral.objects.filter(pk__in=referrals.order_by().values("pk")[:COUNTED])
    return few.aggregate(**{f"in_{tab}": Count("pk", filter=matching(tab, at)) for tab in TABS})


def page(referrals: QuerySet[Referral], tab: str, about: str, after: str, at: datetime) -> places.Stretch:
    """The next referrals of this tab after this place, with client, clinic and course."""
    keys: dict[str, Any] = {
        "k_due": Coalesce("due_at", Value(_NEVER), output_field=DateTimeField()),
        "k_soon": Case(When(urgency=Decision.Urgency.URGENT, then=Value(0)), default=Value(1)),
    }
    rows = referrals.filter(matching(tab, at)).annotate(**keys)
    rows = rows.select_related("client__therapist", "destination", "course").prefetch_related(
        "course__sessions", "sendings"
    )
    return places.stretch(rows, TABS[tab].order, f"referrals|{tab}|{about}", after, PAGE)
