"""Telling a trusted person, the day before, that a ride home or an adult in the home is needed (K7)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from intake import trusted
from intake.models import Part, TrustedPerson
from practice import audit, notices
from practice.kap.actions.weighing import zone_of
from practice.kap.models import Session
from practice.models import Practice
from referrals.disclosure import may_show


def remind(*, at: datetime) -> int:
    """Tell whoever said yes to it of each ketamine session of tomorrow, once, and anew when it was moved.

    In the daytime of the client's place only. Returns how many were told.
    """
    ahead = Session.objects.filter(
        kind=Session.Kind.DOSING,
        state=Session.State.PLANNED,
        starts_at__gt=at,
        starts_at__lt=at + timedelta(days=2),
        plan__client__trusted__ended_at=None,
        plan__client__trusted__isnull=False,
    )
    told = 0
    for session in ahead.select_related("plan__client").distinct().order_by("starts_at"):
        client = session.plan.client
        zone = zone_of(client)
        is_tomorrow = session.starts_at.astimezone(zone).date() - at.astimezone(zone).date() == timedelta(days=1)
        if not is_tomorrow or notices.daytime(at, client, Practice.get()) != at:
            continue
        told += sum(_tell(person, session, zone, at) for person in client.trusted.filter(ended_at=None))
    return told


@transaction.atomic
def _tell(person: TrustedPerson, session: Session, zone: ZoneInfo, at: datetime) -> bool:
    row: TrustedPerson = TrustedPerson.objects.select_related("invitation").held(person.pk)
    key = f"{session.pk} {session.starts_at.astimezone(zone):%Y-%m-%dT%H:%M}"
    if row.told_of == key or not may_show(row, Part.RIDES, at):
        return False
    TrustedPerson.objects.filter(pk=row.pk).update(told_of=key)
    used = trusted.tell(row, "person_ride", link=trusted.link_for(row, at))
    audit.record("trusted.ride_told", by=None, client=row.client_id, target=row, at=at, channels=used)
    return True
