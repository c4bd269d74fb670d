"""Reading the letters that came back."""

from datetime import datetime

from django.db import transaction

from practice import audit
from practice.models import Task, User
from referrals.models import Letter


@transaction.atomic
def mark_read(*, by: User, letter: Letter, at: datetime) -> bool:
    """Note that this person read it. The first reader stays; returns whether that was this one.

    With the last unread letter of a referral its open item is done.
    """
    won = Letter.objects.filter(pk=letter.pk, read_at=None).update(read_at=at, read_by=by)
    letter.refresh_from_db(fields=["read_at", "read_by"])
    client = letter.referral.client
    audit.record("letter.read", by=by, client=client, target=letter, at=at, first=bool(won))
    if won and not letter.referral.letters.filter(read_at=None).exists():
        Task.finish(client, "letter", at=at, by=by, subject_id=letter.referral_id)
    return bool(won)
