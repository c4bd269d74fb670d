"""What a clinician lets a client see of their own scores (K4): off until it is shared, gone when it is taken back.

A measure about suicide is never among them, and of the others only the total is: no single answer, no band, no line.
"""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from intake.models import Assessment, SharedScores
from practice import audit, coverage, notices
from practice.actions import NotNow
from practice.clinical.instrument import Instrument, load
from practice.models import Client, Practice, User

NEVER = "suicide risk"  # the domain of measures that are talked about, not drawn


def may_be_shared(instrument: Instrument) -> bool:
    """Whether it has a total that can stand on a plain line, and does not ask about suicide alone."""
    return instrument.domain != NEVER and "maximum" in instrument.scoring


def shareable(client: Client) -> list[Instrument]:
    """The measures of this client that have a total at all, by name."""
    known = set(client.assessments.filter(total__isnull=False).values_list("instrument", flat=True))
    return sorted(
        (each for key in known if may_be_shared(each := load(key))),
        key=lambda each: each.short_name,
    )


def rows_of(client: Client, instrument: str, first_on: date, last_on: date, at: datetime) -> list[Assessment]:
    """The assessments of these days that were there at this moment, oldest first."""
    found = client.assessments.filter(instrument=instrument, taken_on__gte=first_on, taken_on__lte=last_on)
    found = found.filter(Q(imported_at=None) | Q(imported_at__lte=at), taken_at__lte=at)
    return list(found.defer("answers").order_by("taken_at"))


def standing(client: Client) -> Sequence[SharedScores]:
    """What the client sees now, the newest first."""
    return list(client.shared_scores.filter(ended_at=None).select_related("shared_by"))


@transaction.atomic
def share(
    *, by: User, client: Client, instrument: str, first_on: date, last_on: date, words: str, at: datetime
) -> SharedScores:
    """Let the client see this measure over these days. What was shared of it before gives way.

    Raises NotNow with what is missing.
    """
    client = Client.objects.hold(client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if not words.strip():
        raise NotNow(gettext("Write a line of your own. It stands above the numbers."))
    if first_on > last_on:
        raise NotNow(gettext("The first day comes before the last."))
    if last_on > coverage.local(at, Practice.get()).date():
        raise NotNow(gettext("The last day cannot lie ahead: you share what you have seen."))
    if instrument not in {each.key for each in shareable(client)}:
        raise NotNow(gettext("Choose one of the measures."))
    if not any(row.total is not None for row in rows_of(client, instrument, first_on, last_on, at)):
        raise NotNow(gettext("There is no total in these days. Choose other days."))
    client.shared_scores.filter(instrument=instrument, ended_at=None).update(ended_at=at, ended_by=by)
    row = SharedScores(
        client=client, instrument=instrument, first_on=first_on, last_on=last_on, shared_at=at, shared_by=by
    )
    row.words = words.strip()
    row.save(force_insert=True)
    audit.record("scores.shared", by=by, client=client, target=row, at=at, instrument=instrument)
    notices.tell_news(client, at)
    return row


@transaction.atomic
def stop(*, by: User, shared: SharedScores, at: datetime) -> bool:
    """Take it off the client's page, at once. Returns False when it was taken off before."""
    won = SharedScores.objects.filter(pk=shared.pk, ended_at=None).update(ended_at=at, ended_by=by)
    if won:
        audit.record("scores.unshared", by=by, client=shared.client_id, target=shared, at=at)
    return bool(won)
