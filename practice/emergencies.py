"""Break-glass: an identified clinician opens a chart that is not theirs, is seen doing it, and has to answer for it."""

from datetime import date, datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext

from practice import audit, notices
from practice.access import Permission, Role
from practice.actions import NotNow
from practice.models import Client, EmergencyAccess, User
from practice.models.clients import ClientQuerySet
from practice.models.emergencies import LASTS
from practice.sealed import normalise
from practice.templatetags.ui import clock, moment

NOTICES = 2  # as many people at least are told, where there are as many


def find(number: int | None, name: str, born: date | None) -> Client | None:
    """The one client with this number, or with exactly this name and birth date; None for nobody and for several."""
    if number is not None:
        return _known().filter(number=number).first()
    wanted = normalise(name)
    if not wanted or born is None:
        return None
    fits = [
        client
        for client in _known().named(wanted)
        if client.born == born and wanted in (normalise(client.legal_name), normalise(client.name_used))
    ]
    return fits[0] if len(fits) == 1 else None


def _known() -> ClientQuerySet:
    """Everybody but those who asked to be deleted and are only kept, and records that were merged into another."""
    return Client.objects.exclude(status__in=Client.HIDDEN)


@transaction.atomic
def open_chart(*, by: User, client: Client, reason: str, at: datetime) -> EmergencyAccess:
    """Let this person see and act on this one chart for an hour, and tell those who have to know, at once."""
    access = EmergencyAccess(client=client, by=by, at=at, until=at + LASTS)
    access.reason = reason
    access.save(force_insert=True)
    told = to_tell(access)
    for person in told:
        link = notices.link(_page_for(person, access))
        words = {"at": clock(at), "by": moment(access.review_due_at), "link": link}
        notices.tell_staff(person, "emergency", urgent=True, **words)
    audit.record("emergency.opened", by=by, client=client, target=access, at=at, told=len(told))
    return access


def to_tell(access: EmergencyAccess) -> list[User]:
    """Every admin, the client's therapist and both supervisors; the person themselves when that makes too few."""
    by, therapist = access.by, access.client.therapist
    near = [therapist, therapist and therapist.supervisor, by.supervisor]
    found = [*User.objects.with_role(Role.ADMIN), *(user for user in near if user is not None and user.is_active)]
    others = list(dict.fromkeys(user for user in found if user != by))
    return others if len(others) >= NOTICES else [*others, by]


def _page_for(person: User, access: EmergencyAccess) -> str:
    """Where this person reads about it: to review it, in the client's own activity, or where it began."""
    if person.may(Permission.REVIEW_BREAK_GLASS):
        return reverse("emergency", args=[access.pk])
    if person != access.by:
        return reverse("activity", args=[access.client_id])
    return reverse("break_glass")


@transaction.atomic
def end(*, by: User, access: EmergencyAccess, at: datetime) -> None:
    """End it before its hour is over. Nothing happens to one that is over."""
    if EmergencyAccess.objects.filter(pk=access.pk, by=by, until__gt=at).update(until=at):
        audit.record("emergency.ended", by=by, client=access.client, target=access, at=at)


@transaction.atomic
def review(*, by: User, access: EmergencyAccess, words: str, at: datetime) -> None:
    """Close the review by a named person's words. Raises NotNow for one's own, while somebody else can do it."""
    row = (
        EmergencyAccess.objects.select_for_update(of=("self",), no_key=True)
        .select_related("reviewed_by", "by")
        .get(pk=access.pk)
    )
    if row.reviewed_by is not None:
        raise NotNow(gettext("{name} reviewed this first.").format(name=row.reviewed_by.name))
    if not row.reviewable_by(by):
        raise NotNow(gettext("Somebody else has to review what you opened."))
    row.review, row.reviewed_by, row.reviewed_at = words, by, at
    row.save(update_fields=["review", "reviewed_by", "reviewed_at"])
    audit.record("emergency.reviewed", by=by, client=row.client, target=row, at=at)
