"""Days on which a therapist or a client is away. What is booked then is named; nothing is moved by itself."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from practice import audit
from practice.access import GRANTS, REACH, Permission, Reach
from practice.actions import NotNow
from practice.clinical import planning
from practice.kap.actions.weighing import zone_of
from practice.kap.models import Absence, ClientAbsence, Session
from practice.models import Client, Practice, Task, User

LONGEST_SESSION = timedelta(days=1)
MOST = 20  # stretches ahead of one person; more is a mistake, or a machine


def people_of(user: User) -> QuerySet[User]:
    """Those whose absences this person keeps: their own, and as supervisor or admin those of their people."""
    reach = {REACH[role] for role in user.roles if Permission.KEEP_ABSENCES in GRANTS[role]}
    staff = User.objects.filter(is_active=True)
    if Reach.PRACTICE in reach:
        return staff
    mine = staff.filter(pk=user.pk)
    return mine | staff.filter(supervisor=user) if Reach.TEAM in reach else mine


def ahead_of(people: Iterable[User], today: date) -> list[Absence]:
    """The absences of these people that are not over, each person's in time."""
    found = Absence.objects.filter(user__in=people, last_on__gte=today).select_related("user")
    return list(found.order_by("user__name", "first_on"))


def ahead(client: Client, today: date) -> list[ClientAbsence]:
    return list(client.absences.filter(last_on__gte=today))


def span(row: Absence | ClientAbsence, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From the first midnight to the one after the last day."""
    midnight = time()
    return (
        planning.moment(row.first_on, midnight, zone),
        planning.moment(row.last_on + timedelta(days=1), midnight, zone),
    )


def _within(sessions: Iterable[Session], first: datetime, end: datetime) -> list[Session]:
    return [row for row in sessions if row.starts_at < end and first < row.starts_at + timedelta(minutes=row.minutes)]


def booked_of(rows: list[Absence], at: datetime) -> dict[int, list[Session]]:
    """What is ahead within each of these absences, by its id. One query."""
    if not rows:
        return {}
    zone = ZoneInfo(Practice.get().zone)
    spans = {row.pk: span(row, zone) for row in rows}
    ahead = Session.objects.filter(
        therapist__in={row.user_id for row in rows},
        state__in=Session.AHEAD,
        starts_at__gt=max(at, min(first for first, _end in spans.values()) - LONGEST_SESSION),
        starts_at__lt=max(end for _first, end in spans.values()),
    )
    found = list(ahead.select_related("plan__client"))
    return {row.pk: _within([s for s in found if s.therapist_id == row.user_id], *spans[row.pk]) for row in rows}


def booked(client: Client, rows: list[ClientAbsence], at: datetime) -> dict[UUID, list[Session]]:
    """The same for a client's absences. One query."""
    if not rows:
        return {}
    zone = zone_of(client)
    ahead = Session.objects.filter(plan__client=client, state__in=Session.AHEAD, starts_at__gt=at)
    found = list(ahead.select_related("plan", "therapist"))
    return {row.pk: _within(found, *span(row, zone)) for row in rows}


@transaction.atomic
def add(*, by: User, user: User, first_on: date, last_on: date, at: datetime) -> Absence:
    """Note that somebody is away; the same days said twice are one absence."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    today = at.astimezone(ZoneInfo(Practice.get().zone)).date()
    known = list(Absence.objects.filter(user=user, last_on__gte=today))
    same = next((row for row in known if (row.first_on, row.last_on) == (first_on, last_on)), None)
    if same is not None:
        return same
    _not_too_many(len(known))
    row: Absence = Absence.objects.create(user=user, first_on=first_on, last_on=last_on, by=by)
    audit.record("absence.added", by=by, target=row, at=at, person=str(user.pk))
    return row


@transaction.atomic
def remove(*, by: User, absence: Absence, at: datetime) -> None:
    audit.record("absence.removed", by=by, target=absence, at=at, person=str(absence.user_id))
    absence.delete()


@transaction.atomic
def add_for(*, by: User | Client, client: Client, first_on: date, last_on: date, at: datetime) -> ClientAbsence:
    """Note that a client is away. When they said so themselves, their therapist is told."""
    Client.objects.hold(client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    known = ahead(client, at.astimezone(zone_of(client)).date())
    same = next((row for row in known if (row.first_on, row.last_on) == (first_on, last_on)), None)
    if same is not None:
        return same
    _not_too_many(len(known))
    row: ClientAbsence = ClientAbsence.objects.create(
        client=client, first_on=first_on, last_on=last_on, by=by if isinstance(by, User) else None
    )
    audit.record("client_absence.added", by=by, client=client, target=row, at=at)
    if isinstance(by, Client):
        hit = booked(client, [row], at)[row.pk]
        Task.open(
            client,
            "todo",
            at=at,
            subject_id=row.pk,
            owner=client.therapist,
            due_at=hit[0].starts_at if hit else None,
            reason="client_away_booked" if hit else "client_away",
        )
    return row


@transaction.atomic
def remove_for(*, by: User | Client, absence: ClientAbsence, at: datetime) -> None:
    """Take the days back. The item that told of them goes with them."""
    client = absence.client
    Client.objects.hold(client.pk)
    Task.finish(client, "todo", at=at, by=by if isinstance(by, User) else None, subject_id=absence.pk)
    audit.record("client_absence.removed", by=by, client=client, target=absence, at=at)
    absence.delete()


def _not_too_many(known: int) -> None:
    if known >= MOST:
        raise NotNow(gettext("There are {n} stretches of days already. Remove one first.").format(n=MOST))
