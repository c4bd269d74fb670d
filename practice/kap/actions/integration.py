"""Integration after a dose (H13): a dose that nothing followed within a week is told, once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from practice import audit
from practice.kap.models import Plan, Session
from practice.models import Client, Practice, Task

WITHIN_DAYS = 7  # JOURNEY-THERAPIST: integration between weekly doses
State, Kind = Session.State, Session.Kind


def missed(at: datetime) -> QuerySet[Session]:
    """Doses given here a week ago or earlier that no integration followed. Those recorded from elsewhere are not."""
    followed = Session.objects.filter(
        plan__client=OuterRef("plan__client"),
        kind=Kind.INTEGRATION,
        state=State.DONE,
        starts_at__gt=OuterRef("starts_at"),
    )
    given = Q(state=State.DONE, signed_at__isnull=False) | Q(state=State.STARTED)
    old = Session.objects.filter(given, kind=Kind.DOSING, starts_at__lte=at - timedelta(days=WITHIN_DAYS))
    return old.exclude(plan__client__status__in=Client.LEFT).filter(~Exists(followed))


def watch(*, at: datetime) -> int:
    """Open or freshen the item of each plan with such a dose; each dose is told once. Returns how many were told."""
    found = missed(at).select_related("plan__client").order_by("plan_id", "starts_at")
    return sum(_tell(plan, list(rows), at) for plan, rows in groupby(found, key=lambda row: row.plan))


def _tell(plan: Plan, doses: Sequence[Session], at: datetime) -> int:
    with transaction.atomic():
        Plan.objects.select_for_update().get(pk=plan.pk)
        facts = Task.objects.filter(client=plan.client_id, kind="kap_integrate", subject_id=plan.pk)
        told = {key for each in facts.values_list("facts", flat=True) for key in each.get("doses", ())}
        new = [row for row in doses if str(row.pk) not in told]
        if not new:
            return 0
        zone = ZoneInfo(plan.zone or plan.client.zone or Practice.get().zone)
        on = new[-1].starts_at.astimezone(zone).date()
        Task.open(
            plan.client,
            "kap_integrate",
            at=at,
            subject_id=plan.pk,
            due_at=new[-1].starts_at + timedelta(days=WITHIN_DAYS),
            days=(at.astimezone(zone).date() - on).days,
            late=True,
            on=on.isoformat(),
            doses=sorted({*told, *(str(row.pk) for row in new)}),
        )
        audit.record("integration.missed", by=None, client=plan.client, target=plan, at=at)
    return len(new)
