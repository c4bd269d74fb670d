"""Two records of one person become one: no release is widened by it, and clinics keep the reference they know."""

from collections.abc import Iterator
from datetime import date, datetime

from django.utils.translation import gettext

from practice import coverage
from practice.models import Client, Practice
from referrals.actions import courses
from referrals.models import Referral, Release


def obstacles(kept: Client, former: Client, at: datetime) -> Iterator[str]:
    """Where the two disagree on what one clinic may be told, the client says it anew."""
    today = coverage.local(at, Practice.get()).date()
    rows = Release.objects.filter(client__in=(kept, former), signed_at__isnull=False).select_related("destination")
    by_clinic: dict[object, list[Release]] = {}
    for row in rows:
        by_clinic.setdefault(row.destination, []).append(row)
    for clinic, theirs in by_clinic.items():
        good = [row for row in theirs if row.is_good(today)]
        if any(_differ(one, other, today) for one in good for other in theirs if one.client_id != other.client_id):
            said = gettext(
                "Their releases for {clinic} do not agree. Take them back, and ask the client for a new one."
            )
            yield said.format(clinic=clinic)


def _differ(good: Release, other: Release, today: date) -> bool:
    """Whether the other record says no to what this release lets out: taken back later, or good for other parts."""
    if other.revoked_at is not None:
        return good.signed_at is None or other.revoked_at > good.signed_at
    return other.is_good(today) and (set(good.sections), good.part2) != (set(other.sections), other.part2)


def keep_references(former: Client) -> None:
    """What the clinics call each referral stays as it is."""
    for row in Referral.objects.filter(client=former, known_as="").select_related("client"):
        Referral.objects.filter(pk=row.pk).update(known_as=row.reference)


def settle(client: Client, at: datetime) -> None:
    """A referral that is back where its reference came from needs none of its own."""
    for row in Referral.objects.filter(client=client).exclude(known_as="").select_related("client"):
        if row.known_as == row.own_reference:
            Referral.objects.filter(pk=row.pk).update(known_as="")
    courses.refresh(client)
