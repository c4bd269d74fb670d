"""The letters that came back: keeping them, and reading them."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from practice import audit
from practice.actions import NotNow
from practice.models import Client, Task, User
from referrals.models import Letter, Referral


@transaction.atomic
def keep_letter(
    *, by: User, referral: Referral, words: str, file: tuple[str, str, bytes] | None, is_outcome: bool, at: datetime
) -> Letter:
    """Keep a letter that came to the practice by fax or post: typed, or a file as (name, kind by content, body)."""
    if not words.strip() and file is None:
        raise NotNow(gettext("Choose the file of the letter, or type what it says."))
    letter = Letter(referral=referral, is_outcome=is_outcome, from_clinic=False, by=by, by_name=by.name[:80], at=at)
    letter.take(words, file)
    Client.objects.hold(referral.client_id)
    letter.save(force_insert=True)
    audit.record("referral.letter_kept", by=by, client=referral.client, target=letter, at=at, size=letter.size)
    return letter


@transaction.atomic
def mark_read(*, by: User, letter: Letter, at: datetime) -> bool:
    """Note that this person read it. The first reader stays; returns whether that was this one.

    With the last unread letter of a referral its open item is done.
    """
    Client.objects.hold(letter.referral.client_id)
    won = Letter.objects.filter(pk=letter.pk, read_at=None).update(read_at=at, read_by=by)
    letter.refresh_from_db(fields=["read_at", "read_by"])
    client = letter.referral.client
    audit.record("letter.read", by=by, client=client, target=letter, at=at, first=bool(won))
    if won and not letter.referral.letters.filter(read_at=None).exists():
        Task.finish(client, "letter", at=at, by=by, subject_id=letter.referral_id)
    return bool(won)
