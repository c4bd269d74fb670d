"""What the client says about their referral themselves: a visit confirmed, went or not, a change of mind (G10, G27)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from practice import audit, coverage
from practice.actions import NotNow
from practice.models import Client, Practice, Task
from referrals.models import ClientWord, Referral
from referrals.states import TERMINAL, State

Kind = ClientWord.Kind
# What a person has to look at; a confirmed visit shows on the referral and asks nothing of anybody.
FOR_THERAPIST = (Kind.WENT, Kind.NOT_YET, Kind.TOLD_NO, Kind.CHANGED)


@transaction.atomic
def say(*, client: Client, referral: Referral, kind: str, at: datetime, words: str = "") -> None:
    """Keep what the client said and put it on the therapist's list. It changes no state and cancels nothing.

    Words of their own are kept whatever became of the referral while they wrote.
    """
    now = Referral.objects.filter(client=client).held(referral.pk)
    if now.state == State.DRAFT or (now.state in TERMINAL and not words.strip()):
        raise NotNow(gettext("This has ended. If something is open for you, ask us to call you."))
    if kind == Kind.CONFIRMED and (now.visit_at is None or now.visit_at <= at):
        raise NotNow(gettext("The day of your visit has changed. Please look again."))
    if kind == Kind.CONFIRMED and now.visit_confirmed_at is not None:
        return
    word = ClientWord(referral=now, kind=kind, at=at)
    word.words = words.strip()
    word.save(force_insert=True)
    columns = {"visit_confirmed_at": at} if kind == Kind.CONFIRMED else {}
    Referral.objects.filter(pk=now.pk).update(client_said=kind, **columns)
    audit.record("referral.client_said", by=client, client=client, target=word, at=at)
    if kind in FOR_THERAPIST:
        Task.open(
            client,
            "client_says",
            at=at,
            subject_id=now.pk,
            owner=client.therapist,
            due_at=coverage.read_by(at, Practice.get()),
            severity=now.urgency,
            said=kind,
        )


@transaction.atomic
def choose_messages(*, client: Client, referral: Referral, wanted: bool, at: datetime) -> None:
    """Turn the message at each step on or off (G9)."""
    mine = Referral.objects.filter(pk=referral.pk, client=client)
    if mine.exclude(client_told=wanted).update(client_told=wanted):
        audit.record("referral.messages", by=client, client=client, target=referral, at=at, on=wanted)
