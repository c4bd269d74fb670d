"""The draft of a referral that never vanishes, and the warm hand-off to the clinic."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Max
from django.utils.translation import gettext

from practice import audit, coverage
from practice.actions import NotNow, write_note
from practice.models import Client, Practice, Task, User
from practice.templatetags.ui import moment
from referrals import holds
from referrals.actions import decisions
from referrals.models import (
    Decision,
    Path,
    Referral,
)
from referrals.states import State

DISCARDED = "discarded"


@transaction.atomic
def draft(
    *,
    by: User,
    client: Client,
    at: datetime,
    decision: Decision | None = None,
    path: str = "",
    **fields: Any,
) -> Referral:
    """Begin a referral, filled in from the decision. It stays until it is sent, or put away with words."""
    client = Client.objects.hold(client.pk)
    still_here(client)
    number = Referral.objects.filter(client=client).aggregate(n=Max("number"))["n"] or 0
    row = Referral(
        client=client,
        number=number + 1,
        decision=decision,
        path=path or (decision.choice if decision else Path.INFUSION),
        urgency=decision.urgency if decision else Decision.Urgency.ROUTINE,
        has_safety_sign=decisions.has_sign(holds.standing(client, at)),
        state_at=at,
        created_at=at,
        created_by=by,
    )
    for name, value in (starting_words(row.path, decision) | fields).items():
        setattr(row, name, value)
    row.save(force_insert=True)
    audit.record("referral.drafted", by=by, client=client, target=row, at=at)
    return row


def starting_words(path: str, decision: Decision | None) -> dict[str, str]:
    """What stands in a new draft: the decision's reasoning, and the usual asks. Everything can be written anew."""
    asks = {
        Path.INFUSION: gettext("Please evaluate for a course of ketamine infusions, and treat if it suits."),
        Path.PAIN: gettext("Please evaluate for ketamine infusion for pain, and treat if it suits."),
        Path.AT_HOME: gettext("Please evaluate for a supervised at-home programme, and treat if it suits."),
    }
    return {
        "why_now": (decision.reasoning or "") if decision else "",
        "ask": " ".join(
            [
                asks.get(Path(path), gettext("Please evaluate, and treat if it suits.")),
                gettext("Please tell us the date of the first visit, each session as it is done, and how it ended."),
            ]
        ),
        "keep_doing": gettext("We go on with weekly therapy, and see the client within three days after each session."),
    }


@transaction.atomic
def save_draft(*, by: User, referral: Referral, version: int, fields: Mapping[str, Any], at: datetime) -> list[str]:
    """Save the draft under a new version. Returns the names of what changed; raises NotNow when it is not as seen."""
    row = locked(referral)
    is_draft(row)
    if row.version != version:
        raise NotNow(gettext("Somebody changed this draft meanwhile."))
    changed = sorted(name for name, value in fields.items() if getattr(row, name) != value)
    for name in changed:
        setattr(row, name, fields[name])
    if changed:
        row.version += 1
        row.save()
        audit.record("referral.edited", by=by, client=row.client, target=row, at=at, fields=changed)
    return changed


@transaction.atomic
def discard(*, by: User, referral: Referral, words: str, at: datetime) -> None:
    """Put a draft away, by words that become a note. It stays readable among those that ended."""
    if not words.strip():
        raise NotNow(gettext("Write why this is not sent."))
    row = locked(referral)
    is_draft(row)
    Referral.objects.filter(pk=row.pk).update(closed_at=at, closed_why=DISCARDED, version=F("version") + 1)
    said = gettext("Referral {reference} was not sent: {words}").format(reference=row.reference, words=words.strip())
    write_note(by=by, client=row.client, words=said, at=at)
    Task.finish(row.client, "hand_off", at=at, by=by, subject_id=row.pk)
    audit.record("referral.discarded", by=by, client=row.client, target=row, at=at)


def locked(referral: Referral) -> Referral:
    row: Referral = Referral.objects.select_related("destination").held(referral.pk)
    return row


def is_draft(row: Referral) -> None:
    if row.closed_why == DISCARDED:
        raise NotNow(gettext("This draft was put away."))
    if row.state != State.DRAFT:
        raise NotNow(
            gettext("{who} sent this first, {when}.").format(
                who=row.sent_by or gettext("Somebody"), when=moment(row.sent_at)
            )
        )


def still_here(client: Client) -> None:
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client is not in care any more. Nothing is sent about them."))


# --- The warm hand-off (G25) -----------------------------------------------------------------------------------------


def has_sign(referral: Referral, standing: holds.Standing) -> bool:
    """Whether there were suicidal thoughts when it was begun, or are by now: a draft may wait for days."""
    return referral.has_safety_sign or decisions.has_sign(standing)


def needs_hand_off(referral: Referral, standing: holds.Standing) -> bool:
    return referral.urgency == Decision.Urgency.URGENT and has_sign(referral, standing)


@transaction.atomic
def hand_over(
    *,
    by: User,
    referral: Referral,
    to: str,
    plan_given: bool,
    words: str,
    interim_on: date,
    at: datetime,
) -> None:
    """Record the call to the clinic, that the client has their safety plan, and when we are next in touch with them."""
    row = locked(referral)
    is_draft(row)
    practice = Practice.get()
    if not to.strip():
        raise NotNow(gettext("Write with whom at the clinic you spoke."))
    if not plan_given and not words.strip():
        raise NotNow(gettext("Write why the client does not have the safety plan yet."))
    if interim_on < coverage.local(at, practice).date():
        raise NotNow(gettext("Give a day from today on for the next contact with the client."))
    row.handed_off_at, row.handed_off_by, row.interim_contact_on = at, by, interim_on
    row.handed_off_to, row.plan_given, row.hand_off_words = to.strip(), plan_given, words.strip()
    row.version += 1
    row.save()
    due = datetime.combine(interim_on, practice.closes_at, tzinfo=ZoneInfo(practice.zone))
    Task.open(
        row.client, "hand_off", at=at, subject_id=row.pk, due_at=due, owner=row.client.therapist, by_day=str(interim_on)
    )
    audit.record("referral.handed_over", by=by, client=row.client, target=row, at=at)
