"""What passes between staff and a clinic besides its page: calls, reminders, messages."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from practice import audit, coverage, jobs
from practice.actions import NotNow
from practice.models import Job, Practice, Task, User
from referrals.actions import clocks, news
from referrals.actions.delivery import NOT_REACHED
from referrals.actions.drafts import locked, still_here
from referrals.models import (
    Message,
    Referral,
    Sending,
)
from referrals.states import State


@transaction.atomic
def called(*, by: User, referral: Referral, spoke_with: str, reached: bool, at: datetime) -> None:
    """Note a call to the clinic about this referral. When they were reached, the item to call is done."""
    if not spoke_with.strip():
        raise NotNow(gettext("Write with whom you spoke, and what was said."))
    row = locked(referral)
    packet = row.packets.first()
    if packet is None or row.destination is None:
        raise NotNow(gettext("This was not sent yet."))
    sending = Sending(
        referral=row, packet=packet, channel=Sending.Channel.PHONE, address=row.destination.phone, at=at, by=by
    )
    sending.spoke_with, sending.state, sending.settled_at = spoke_with.strip(), Sending.State.DONE, at
    if not reached:
        sending.state, sending.trouble = Sending.State.BOUNCED, NOT_REACHED
    sending.save(force_insert=True)
    clocks.called(by=by, referral=row, reached=reached, at=at)


@transaction.atomic
def remind(*, by: User, referral: Referral, at: datetime) -> None:
    """Mail the clinic today's list of what waits there: at most one a day, with all that is late in it."""
    row = locked(referral)
    if not row.is_open or row.due_at is None or row.due_at > at:
        raise NotNow(gettext("Nothing is late here. A reminder would only be noise."))
    if not clocks.by_mail(row.destination):
        raise NotNow(gettext("This clinic gets no mail from us. Call them instead."))
    key = f"digest:{row.destination_id}:{coverage.local(at, Practice.get()).date()}"
    if Job.objects.filter(dedupe_key=key).exists():
        raise NotNow(gettext("They were reminded today. Call them, or wait until tomorrow."))
    jobs.enqueue("send_desk_digest", ref=row.destination_id, dedupe_key=key)
    audit.record("referral.reminded", by=by, client=row.client, target=row, at=at)


@transaction.atomic
def write_message(*, by: User, referral: Referral, words: str, at: datetime) -> Message:
    """Write to the clinic in the thread of this referral. It answers what they asked, and they get a mail (R3)."""
    if not words.strip():
        raise NotNow(gettext("Write your message first."))
    row = locked(referral)
    still_here(row.client)
    if row.state == State.DRAFT or row.destination is None:
        raise NotNow(gettext("This was not sent yet."))
    message = Message(referral=row, from_clinic=False, by=by, by_name=by.name[:80], at=at)
    message.words = words.strip()
    message.save(force_insert=True)
    row.messages.filter(from_clinic=True, read_at=None).update(read_at=at)
    Task.finish(row.client, "clinic_asks", at=at, by=by, subject_id=row.pk)
    news.tell_clinic(row, "desk_message")
    audit.record("referral.message", by=by, client=row.client, target=message, at=at)
    return message
