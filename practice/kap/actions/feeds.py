"""The calendar address of a member of staff: made, made anew, stopped. It says nothing about a client."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction

from practice import audit
from practice.kap.models import Feed
from practice.models import User

READ_EVERY = timedelta(hours=1)  # how often it is noted that a calendar came by


@transaction.atomic
def make(*, by: User, at: datetime) -> Feed:
    """Give this person a new secret address; the one before stops working."""
    User.objects.select_for_update(no_key=True).get(pk=by.pk)  # two presses at once make one address
    row = Feed.objects.filter(user=by).first() or Feed(user=by, generation=0)
    row.generation += 1
    row.made_at, row.read_at = at, None
    row.token_digest = digest(row.token)
    row.save()
    audit.record("feed.made", by=by, target=row, at=at)
    return row


@transaction.atomic
def stop(*, by: User, at: datetime) -> None:
    """The address stops working. Events that a calendar took already stay there until it asks again."""
    row = Feed.objects.select_for_update(no_key=True).filter(user=by).first()
    if row is None:
        return
    audit.record("feed.stopped", by=by, target=row, at=at)
    row.delete()


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def found(token: str) -> Feed | None:
    """The feed of this address, of somebody who still works here. One query, whatever the address."""
    row: Feed | None = (
        Feed.objects.select_related("user").filter(token_digest=digest(token), user__is_active=True).first()
    )
    return row


def note_read(row: Feed, at: datetime) -> None:
    if row.read_at is None or at - row.read_at > READ_EVERY:
        Feed.objects.filter(pk=row.pk).update(read_at=at)
