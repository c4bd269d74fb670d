"""Integration after a dose (H13): proposed within 72 hours, told once when a week passes without.

An item is finished by an integration that was kept or booked, in whichever plan, or by the words of a contact. One
that was only booked, and then fell away, brings the item back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from practice import audit
from practice.kap.models import Plan, Session
from practice.models import Client, Practice, Task, User

WITHIN_DAYS = 7  # JOURNEY-THERAPIST: integration between weekly doses
CONTACT_BY = timedelta(hours=72)  # JOURNEY-THERAPIST: one to three days after
KIND = "kap_integrate"
KEPT, BOOKED = "kept", "booked"
State, Kind = Session.State, Session.Kind


def given_here() -> Q:
    """Doses given in a session here; one that was only written down from elsewhere is not."""
    return Q(state=State.DONE, signed_at__isnull=False) | Q(state=State.STARTED)


def last_dose(client: Client) -> Session | None:
    given: QuerySet[Session] = Session.objects.filter(given_here(), plan__client=client, kind=Kind.DOSING)
    return given.select_related("plan").order_by("-starts_at").first()


def followed_by(dose: Session, at: datetime) -> str:
    """Whether an integration followed this last dose: kept, or booked before the next one. "" when neither.

    While there is time for it, one that is booked has to lie within 72 hours of the dose.
    """
    mine = Session.objects.filter(plan__client=dose.plan.client_id, starts_at__gt=dose.starts_at)
    after = mine.filter(kind=Kind.INTEGRATION)
    if after.filter(state=State.DONE).exists():
        return KEPT
    upcoming = mine.filter(kind=Kind.DOSING, state=State.PLANNED).order_by("starts_at").first()
    booked = after.filter(state=State.PLANNED, starts_at__gt=at)
    if upcoming is not None:
        booked = booked.filter(starts_at__lt=upcoming.starts_at)
    if at <= dose.starts_at + CONTACT_BY:
        booked = booked.filter(starts_at__lte=dose.starts_at + CONTACT_BY)
    return BOOKED if booked.exists() else ""


def settle(client: Client, at: datetime, by: User | None = None) -> None:
    """Finish the item when the last dose has its integration; open it when the one that was booked fell away."""
    tasks = list(Task.objects.filter(client=client, kind=KIND, done_at=None))
    dose = last_dose(client)
    if dose is None or not (tasks or dose.starts_at > at - timedelta(days=WITHIN_DAYS)):
        return
    how = followed_by(dose, at)
    if how:
        for task in tasks:
            task.facts |= {BOOKED: how == BOOKED}
            task.save(update_fields=["facts"])
        Task.finish(client, KIND, at=at, by=by)
    elif not tasks and not _spoken_of(client, dose):
        Task.open(client, KIND, at=at, subject_id=dose.plan_id, due_at=dose.starts_at + CONTACT_BY)


def _spoken_of(client: Client, dose: Session) -> bool:
    """Whether somebody finished the item of this dose by their words; a booking alone does not."""
    done = Task.objects.filter(client=client, kind=KIND, done_at__gt=dose.starts_at)
    return any(not row.facts.get(BOOKED) for row in done)


def missed(at: datetime) -> QuerySet[Session]:
    """Doses given here a week ago or earlier that no integration followed. Those recorded from elsewhere are not."""
    followed = Session.objects.filter(
        plan__client=OuterRef("plan__client"),
        kind=Kind.INTEGRATION,
        state=State.DONE,
        starts_at__gt=OuterRef("starts_at"),
    )
    old = Session.objects.filter(given_here(), kind=Kind.DOSING, starts_at__lte=at - timedelta(days=WITHIN_DAYS))
    return old.exclude(plan__client__status__in=Client.LEFT).filter(~Exists(followed))


def watch(*, at: datetime) -> int:
    """Open or freshen the item of each plan with such a dose; each dose is told once. Returns how many were told."""
    found = missed(at).select_related("plan__client").order_by("plan_id", "starts_at")
    return sum(_tell(plan, list(rows), at) for plan, rows in groupby(found, key=lambda row: row.plan))


def _tell(plan: Plan, doses: Sequence[Session], at: datetime) -> int:
    with transaction.atomic():
        plan = Plan.objects.held(plan.pk)
        items = list(Task.objects.filter(client=plan.client_id, kind=KIND, subject_id=plan.pk))
        told = {key for each in items if not _was_booked(each) for key in each.facts.get("doses", ())}
        again = {key for each in items if _was_booked(each) for key in each.facts.get("doses", ())}
        new = [row for row in doses if str(row.pk) not in told]
        if again and (dose := last_dose(plan.client)) is not None and followed_by(dose, at):
            new = [row for row in new if str(row.pk) not in again]
        if not new:
            return 0
        zone = ZoneInfo(plan.zone or plan.client.zone or Practice.get().zone)
        on = new[-1].starts_at.astimezone(zone).date()
        Task.open(
            plan.client,
            KIND,
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


def _was_booked(item: Task) -> bool:
    return item.done_at is not None and bool(item.facts.get(BOOKED))
