"""Questions to a colleague who is not there any more: they go to whoever may answer now."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.urls import reverse
from django.utils.translation import ngettext

from practice import audit, notices
from practice.models import Task, User
from referrals.actions.decisions import colleagues
from referrals.models import CaseQuestion, Referral


def hand_over(*, by: User, clients: Sequence[UUID], former: User | None, to: User, at: datetime) -> None:
    for asked in CaseQuestion.objects.filter(client__in=clients, to=former, answered_at=None):
        _pass(asked, by, at)


def let_go(*, by: User, person: User, at: datetime) -> None:
    for asked in CaseQuestion.objects.filter(to=person, answered_at=None):
        _pass(asked, by, at, leaves=person)


def concerned(person: User) -> set[UUID]:
    """The clients of whom they were asked."""
    return set(CaseQuestion.objects.filter(to=person, answered_at=None).values_list("client_id", flat=True))


def _pass(asked: CaseQuestion, by: User, at: datetime, *, leaves: User | None = None) -> None:
    """Ask the next colleague who may see the client; when there is none, the item goes back to who asked."""
    able = [who for who in colleagues(asked.client, asked.asked_by) if who.is_active and who != leaves]
    if able:
        asked.to = able[0]
        asked.save(update_fields=["to"])
        here = reverse("case_question", args=[asked.client_id, asked.pk])
        notices.tell_staff(asked.to, "question", answered=False, link=notices.link(here))
    owner = asked.to if able else asked.asked_by
    Task.objects.filter(kind="case_question", subject_id=asked.pk, done_at=None).update(owner=owner)
    audit.record("question.passed", by=by, client=asked.client_id, target=asked, at=at)


def goes(person: User) -> str:
    n = Referral.objects.open().filter(sent_by=person).count()
    said = ngettext(
        "{n} referral link of theirs is open. What the clinic answers goes to the therapist of the client.",
        "{n} referral links of theirs are open. What the clinics answer goes to the therapists of the clients.",
        n,
    )
    return said.format(n=n) if n else ""
