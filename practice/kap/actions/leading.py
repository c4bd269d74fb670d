"""Who leads plans and sessions, when a client changes hands or somebody leaves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils.translation import ngettext

from practice.kap.models import Feed, Plan, Session
from practice.models import Client, User


def hand_over(*, by: User, clients: Sequence[UUID], former: User | None, to: User, at: datetime) -> None:
    """What the former therapist was to lead for these clients is the new one's: plans under way, sessions ahead."""
    if former is not None:
        _lead(Plan.objects.filter(client__in=clients), Session.objects.filter(plan__client__in=clients), former, to, at)


def let_go(*, by: User, person: User, at: datetime) -> None:
    """What somebody who leaves was to lead for a colleague's clients goes to the client's therapist; no feed stays."""
    plans = Client.objects.filter(pk=OuterRef("client_id"), therapist__is_active=True).exclude(therapist=person)
    sessions = Client.objects.filter(plans=OuterRef("plan_id"), therapist__is_active=True).exclude(therapist=person)
    _lead(Plan.objects.all(), Session.objects.all(), person, Subquery(plans.values("therapist")[:1]), at,
          Subquery(sessions.values("therapist")[:1]))  # fmt: skip
    Feed.objects.filter(user=person).delete()


def concerned(person: User) -> set[UUID]:
    """The clients of whom they lead a plan or a session ahead."""
    plans = Plan.objects.filter(therapist=person, state=Plan.State.UNDER_WAY).values_list("client_id", flat=True)
    ahead = Session.objects.filter(therapist=person, state__in=Session.AHEAD)
    return {*plans, *ahead.values_list("plan__client_id", flat=True)}


def _lead(
    plans: QuerySet[Plan], sessions: QuerySet[Session], former: User, to: Any, at: datetime, each: Any = None
) -> None:
    """The number of each event goes up, so that calendars take the change in."""
    plans.filter(therapist=former, state=Plan.State.UNDER_WAY).update(therapist=to, version=F("version") + 1)
    ahead = sessions.filter(therapist=former, state__in=Session.AHEAD)
    ahead.update(therapist=to if each is None else each, sequence=F("sequence") + 1, changed_at=at)


def goes(person: User) -> str:
    n = Session.objects.filter(therapist=person, state__in=Session.AHEAD).count()
    said = ngettext(
        "{n} session ahead is led by the therapist of its client from then on.",
        "{n} sessions ahead are led by the therapists of their clients from then on.",
        n,
    )
    return said.format(n=n) if n else ""


def seen(since: datetime) -> Any:
    """The clients with a session since then, or one ahead."""
    kept = [*Session.AHEAD, Session.State.STARTED, Session.State.DONE]
    return Session.objects.filter(starts_at__gte=since, state__in=kept).values("plan__client")
